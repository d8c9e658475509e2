package workload

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"

	"workbench/arch"
	"workbench/arch/files"
	"workbench/arch/nn"
)

// A stateFolder keeps states that take long to reach, from one process of an arm
// to the next. "" keeps nothing.
type stateFolder string

func (f stateFolder) path(pos int) string {
	return filepath.Join(string(f), fmt.Sprintf("%d.state", pos))
}

// keep writes the state that has read pos tokens. What cannot be written is read
// again by the next process.
func (f stateFolder) keep(pos int, s arch.State) {
	if f == "" {
		return
	}
	_ = files.Create(f.path(pos), func(w io.Writer) error {
		out := bufio.NewWriterSize(w, 1<<20)
		var err error
		nn.WalkState(s, func(_ string, t *nn.Tensor) {
			header, numbers := []int64{int64(len(t.Shape)), int64(len(t.Data))}, any(t.Data)
			if t.Half != nil {
				header[1], numbers = int64(len(t.Half.Bits)), t.Half.Bits
			}
			for _, n := range t.Shape {
				header = append(header, int64(n))
			}
			err = errors.Join(err, binary.Write(out, binary.LittleEndian, header), binary.Write(out, binary.LittleEndian, numbers))
		})
		return errors.Join(err, out.Flush())
	})
}

// load makes s, a state of the same model that has room for it, the state kept
// for pos, and tells whether there is one.
func (f stateFolder) load(pos int, s arch.State) bool {
	if f == "" {
		return false
	}
	file, err := files.Open(f.path(pos))
	if err != nil {
		return false
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return false
	}
	in, left := bufio.NewReaderSize(file, 1<<20), info.Size()/2 // numbers that the file may hold
	nn.WalkState(s, func(_ string, t *nn.Tensor) {
		header := make([]int64, 2+len(t.Shape))
		if err == nil {
			err = binary.Read(in, binary.LittleEndian, header)
		}
		if err == nil && (header[0] != int64(len(t.Shape)) || header[1] < 0 || header[1] > left) {
			err = errors.New("another state")
		}
		if err != nil {
			return
		}
		size := int64(1)
		for i := range t.Shape {
			t.Shape[i] = int(header[2+i])
			size *= header[2+i]
		}
		if size != header[1] {
			err = errors.New("another state")
			return
		}
		if t.Half != nil {
			t.Half.Bits = slices.Grow(t.Half.Bits[:0], int(size))[:size]
			err = binary.Read(in, binary.LittleEndian, t.Half.Bits)
			return
		}
		t.Data = slices.Grow(t.Data[:0], int(size))[:size]
		err = binary.Read(in, binary.LittleEndian, t.Data)
	})
	return err == nil
}
