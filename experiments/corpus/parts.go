package corpus

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"workbench/arch/files"
)

// Parts calls f with a text of any length in parts that follow each other, of
// about most bytes each and whole lines where they have an end; share is how
// much of the text a part is. What is no file, or is shorter, is one part.
func Parts(name string, most int, f func(part *Text, share float64) error) error {
	info, err := os.Stat(name)
	if name == "go" || name == "grammar" || err != nil || !info.Mode().IsRegular() || info.Size() <= int64(most) {
		t, err := Open(name)
		if err != nil {
			return err
		}
		return f(t, 1)
	}
	file, err := files.Open(name)
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
		if at := bytes.LastIndexByte(buf[:n], '\n'); !last && at >= 0 {
			cut = at + 1
		}
		if cut > 0 {
			t := newText(base, fmt.Sprintf("file %s, part %d", base, part), bytes.Clone(buf[:cut]))
			if err := f(t, float64(cut)/float64(info.Size())); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
		held = copy(buf, buf[cut:n])
	}
}
