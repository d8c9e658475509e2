package archtest

import (
	"os"
	"path/filepath"
)

// Shared returns the folder of golden data beside the repository, "" where it
// is absent.
func Shared() string {
	dir, err := os.Getwd()
	for err == nil {
		if _, e := os.Stat(filepath.Join(dir, "go.mod")); e == nil {
			data := filepath.Join(dir, "..", "shared", "data")
			if _, e := os.Stat(data); e == nil {
				return data
			}
			return ""
		}
		if dir == filepath.Dir(dir) {
			return ""
		}
		dir = filepath.Dir(dir)
	}
	return ""
}
