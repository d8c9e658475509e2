package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"workbench/arch/files"
)

// SumTensor is the last tensor of a file of SaveSummed: the SHA-256 of all
// bytes before it.
const SumTensor = "sha256"

// ErrDamaged is the error of a file whose bytes are not those that were
// written.
var ErrDamaged = errors.New("damaged")

// SaveSummed is Save with a checksum, which Summed checks.
func SaveSummed(path string, m any, meta map[string]string) error {
	err := files.Create(path, func(w io.Writer) error {
		h := sha256.New()
		list := append(weightsOf(m, meta), outgoing{name: SumTensor, dtype: "U8", shape: []int{h.Size()}, bytes: int64(h.Size()),
			write: func(io.Writer) error { _, err := w.Write(h.Sum(nil)); return err }})
		return writeTensors(io.MultiWriter(w, h), list, meta)
	})
	if err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

// Summed reads a whole file of SaveSummed; the error is ErrDamaged where the
// checksum does not match.
func Summed(path string) error {
	f, err := files.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	h, said := sha256.New(), make([]byte, sha256.Size)
	body := max(0, info.Size()-sha256.Size)
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, body)); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if _, err := f.ReadAt(said, body); err != nil && err != io.EOF {
		return fmt.Errorf("%s: %w", path, err)
	}
	if got := h.Sum(nil); !bytes.Equal(got, said) {
		return fmt.Errorf("%s is %w: the checksum (sha256) of its bytes is %.6x…, not %.6x… as it says", path, ErrDamaged, got, said)
	}
	return nil
}
