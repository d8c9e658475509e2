package corpus

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"unicode/utf8"

	"workbench/arch/files"
)

// Parts calls f with a text of any length in parts that follow each other, of
// about most bytes each; share is how much of the text a part is, 0 where that
// is not known. Parts are whole lines, or with an ending whole documents,
// where these are not longer. A text may be a pipe; a folder, a text of the
// program's own and what is shorter is one part.
func Parts(name string, most int, e Ending, f func(part *Text, share float64) error) error {
	info, err := os.Stat(name)
	pipe := err == nil && info.Mode()&fs.ModeNamedPipe != 0
	if Find(name) != nil || err != nil || !pipe && (!info.Mode().IsRegular() || info.Size() <= int64(most)) {
		t, err := OpenText(name)
		if err != nil {
			return err
		}
		return f(t, 1)
	}
	file, err := files.OpenStream(name)
	if err != nil {
		return fmt.Errorf("corpus %w", err)
	}
	defer file.Close()
	buf, held, base := make([]byte, most), 0, baseName(name)
	for part := 1; ; part++ {
		n, err := io.ReadFull(file, buf[held:])
		n += held
		last := err == io.EOF || err == io.ErrUnexpectedEOF
		if err != nil && !last {
			return fmt.Errorf("corpus %w", err)
		}
		cut := n
		if !last {
			cut = e.border(buf[:n])
		}
		if n == 0 && part == 1 {
			return fmt.Errorf("corpus %s is empty", name)
		}
		if cut > 0 {
			t := newText(base, fmt.Sprintf("file %s, part %d", base, part), bytes.Clone(buf[:cut]))
			share := 0.0
			if !pipe {
				share = float64(cut) / float64(info.Size())
			}
			if err := f(t, share); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		held = copy(buf, buf[cut:n])
	}
}

// border is where a part of a longer text is cut: behind its last ending or
// line, else its last whole character.
func (e Ending) border(data []byte) int {
	if at := e.Last(data); at > 0 {
		return at
	}
	if at := bytes.LastIndexByte(data, '\n'); at >= 0 {
		return at + 1
	}
	for at := len(data) - 1; at > 0 && at > len(data)-utf8.UTFMax; at-- {
		if utf8.RuneStart(data[at]) {
			if utf8.FullRune(data[at:]) {
				break
			}
			return at
		}
	}
	return len(data)
}
