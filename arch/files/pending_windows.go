package files

import (
	"errors"
	"os"
	"path/filepath"
)

// pending is a file that will replace the one at path. Note: the library used
// elsewhere has none for Windows, where a name cannot be replaced at once.
type pending struct {
	*os.File
	path string
}

// newPending creates a temporary file that will replace the one at path.
func newPending(path string) (*pending, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"*")
	return &pending{f, path}, err
}

// CloseAtomicallyReplace renames the file to path.
func (p *pending) CloseAtomicallyReplace() error {
	if err := errors.Join(p.Sync(), p.Close()); err != nil {
		return err
	}
	return os.Rename(p.Name(), p.path)
}

// Cleanup removes the file unless it was renamed.
func (p *pending) Cleanup() error {
	p.Close()
	return os.Remove(p.Name())
}
