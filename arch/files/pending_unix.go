//go:build !windows

package files

import (
	"path/filepath"

	"github.com/google/renameio/v2"
)

// newPending creates a temporary file that will replace the one at path.
func newPending(path string) (*renameio.PendingFile, error) {
	return renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)),
		renameio.WithPermissions(0o666), renameio.WithExistingPermissions())
}
