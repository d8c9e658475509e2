package corpus

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestParts: the parts of a text are the text, and end with lines.
func TestParts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text")
	for _, text := range []string{strings.Repeat("a line\n", 100), strings.Repeat("x", 400), "short\n", strings.Repeat("y", 64) + "\n" + strings.Repeat("z", 63)} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		var all strings.Builder
		sum, parts := 0.0, 0
		err := Parts(path, 64, "", func(part *Text, share float64) error {
			if all.Write(part.Data); strings.Contains(text, "line") && part.Data[len(part.Data)-1] != '\n' || len(part.Data) > 64 {
				t.Errorf("a part of %d bytes ends in %q", len(part.Data), part.Data)
			}
			sum, parts = sum+share, parts+1
			return nil
		})
		if err != nil || all.String() != text || sum < 0.999 || sum > 1.001 || parts < len(text)/64 {
			t.Errorf("%d parts, %.3f of the text in all: %v", parts, sum, err)
		}
	}
	stop := errors.New("stop")
	if err := Parts(path, 64, "", func(*Text, float64) error { return stop }); err != stop {
		t.Error(err)
	}
	for _, name := range []string{"grammar", filepath.Dir(path)} {
		whole, err := OpenText(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := Parts(name, 64, "", func(part *Text, share float64) error {
			if part.SHA256 != whole.SHA256 || share != 1 {
				t.Errorf("%s in parts", name)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
	if err := Parts("absent", 64, "", nil); err == nil || !strings.Contains(err.Error(), "absent") {
		t.Error(err)
	}
}

// TestPartsEndWithDocuments and, without an end in reach, with characters.
func TestPartsEndWithDocuments(t *testing.T) {
	path := filepath.Join(t.TempDir(), "text")
	for text, end := range map[string]Ending{strings.Repeat("two\nlines\r\n\r\n", 50): "\n\n", strings.Repeat("words--", 60): "--", strings.Repeat("é", 200): ""} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		err := Parts(path, 65, end, func(part *Text, _ float64) error {
			if end != "" && end.Last(part.Data) != len(part.Data) || !utf8.Valid(part.Data) {
				t.Errorf("a part ends in %q", part.Data[len(part.Data)-4:])
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
