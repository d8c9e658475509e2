package files

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// lockName is the file in a folder on which its owner holds a lock.
const lockName = ".lock"

// A Folder is a folder that only this process works in.
type Folder struct {
	lock *flock.Flock
	made bool // by Claim
}

// InUse is the error of a folder that another process works in.
type InUse struct {
	Dir   string
	Owner Owner // zero where it is not known
}

// Owner is the process that works in a folder.
type Owner struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

// Error implements error.
func (e *InUse) Error() string {
	who := "another process"
	if o := e.Owner; o.PID != 0 {
		who = fmt.Sprintf("process %d (%s, since %s)", o.PID, o.Command, o.Since.Format("15:04:05"))
		if host, err := os.Hostname(); err == nil && host != o.Host {
			who += " on " + o.Host
		}
	}
	return fmt.Sprintf("the folder %s is in use by %s: wait until it ends, or name another folder", e.Dir, who)
}

// Claim locks the folder dir for this process, creates it if needed, and
// removes temporary files of dead processes from it. command tells other
// processes what works there. If a living process works in the folder, the
// error is *InUse. The kernel frees the lock when the process ends, in any way.
func Claim(dir, command string) (*Folder, error) {
	_, err := os.Stat(dir)
	made := errors.Is(err, fs.ErrNotExist)
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, lockName)
	for {
		lock := flock.New(path, flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o666))
		ok, err := lock.TryLock()
		if err != nil {
			return nil, fmt.Errorf("the folder %s cannot be locked: %w", dir, err)
		}
		if !ok {
			lock.Close()
			return nil, &InUse{dir, readOwner(path)}
		}
		if !named(lock, path) { // its last owner removed it meanwhile
			lock.Close()
			continue
		}
		f := &Folder{lock, made}
		if err := errors.Join(writeOwner(path, command), removeTemporary(dir)); err != nil {
			f.Release()
			return nil, err
		}
		return f, nil
	}
}

// named reports whether path still names the locked file.
func named(lock *flock.Flock, path string) bool {
	held, err := lock.Stat()
	if err != nil {
		return false
	}
	info, err := os.Stat(path)
	return err == nil && os.SameFile(held, info)
}

func writeOwner(path, command string) error {
	host, _ := os.Hostname()
	b, err := json.Marshal(Owner{os.Getpid(), host, command, time.Now()})
	if err != nil {
		return err
	}
	if err := os.WriteFile(path, append(b, '\n'), 0o666); err != nil && errors.Is(err, fs.ErrPermission) {
		return nil // Note: Windows lets no one write to a locked file; others then do not learn the owner.
	} else if err != nil {
		return err
	}
	return nil
}

func readOwner(path string) (o Owner) {
	if b, err := Read(path, 1<<16); err == nil {
		_ = json.Unmarshal(b, &o)
	}
	return o
}

// Release unlocks the folder, and removes it if Claim created it and it is
// empty.
func (f *Folder) Release() {
	path := f.lock.Path()
	os.Remove(path) // while the lock is held, so that no other's is removed
	f.lock.Close()
	if f.made {
		os.Remove(filepath.Dir(path)) // fails where something was written
	}
}

// Empty reports whether dir holds nothing but the lock.
func Empty(dir string) (bool, error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Name() != lockName {
			return false, nil
		}
	}
	return true, err
}
