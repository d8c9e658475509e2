// Package files reads and writes whole files for the program: a written file
// appears whole or not at all, the size of what is read is bounded, and a
// folder that one process works in is locked against others.
package files

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"syscall"
)

// Write writes data to the file at path, whole or not at all.
func Write(path string, data []byte) error {
	return Create(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Create writes what write produces to the file at path, whole or not at all: a
// temporary file beside it is synced and renamed, and the folder is synced. A
// new file has mode 0666 less the umask; a replaced file keeps its mode.
func Create(path string, write func(io.Writer) error) error {
	f, err := newPending(path)
	if err != nil {
		return err
	}
	defer f.Cleanup()
	if err := fill(f, write); err != nil {
		return err
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	syncFolder(filepath.Dir(path))
	return nil
}

// WriteNew is Write for a file that must not exist yet: of several processes
// that try, one succeeds and the others get fs.ErrExist.
func WriteNew(path string, data []byte) error {
	f, err := newPending(path)
	if err != nil {
		return err
	}
	defer f.Cleanup()
	err = fill(f, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = link(f.Name(), path, data)
	}
	if err == nil {
		syncFolder(filepath.Dir(path))
	}
	return err
}

// link adds a second, new name (hard link) for a file. On a file system without
// hard links it writes the data under the new name.
func link(from, path string, data []byte) error {
	err := os.Link(from, path)
	if err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		os.Remove(path)
	}
	return err
}

func fill(f io.Writer, write func(io.Writer) error) error {
	w := bufio.NewWriterSize(f, 1<<20)
	if err := write(w); err != nil {
		return err
	}
	return w.Flush()
}

// syncFolder makes a new name in a folder durable. Note: not every system can
// do so; the file's content is on the disk already.
func syncFolder(dir string) {
	if d, err := os.Open(dir); err == nil {
		d.Sync()
		d.Close()
	}
}

// temporary matches the names of files that Create has not finished:
// .NAME.EXTENSION and a number.
var temporary = regexp.MustCompile(`^\..+\.[a-z]+[0-9]+$`)

// removeTemporary removes the unfinished files of dead processes from dir.
func removeTemporary(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if e.Type().IsRegular() && temporary.MatchString(e.Name()) {
			err = errors.Join(err, os.Remove(filepath.Join(dir, e.Name())))
		}
	}
	return err
}

// Open opens a regular file, which can be read at any offset. Any other kind of
// file (folder, pipe, device) is an error that names the kind.
func Open(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s and should be a file", path, kind(info.Mode()))
	}
	return os.Open(path)
}

// OpenStream opens a file or a pipe, such as the shell's <(command), to be read
// once from beginning to end. A pipe without a writer is empty, and is not
// waited for.
func OpenStream(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if m := info.Mode(); !m.IsRegular() && m&fs.ModeNamedPipe == 0 {
		return nil, fmt.Errorf("%s is %s and should be a file", path, kind(m))
	}
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// Read returns the content of a file or a pipe of at most limit bytes; more is
// an error.
func Read(path string, limit int64) ([]byte, error) {
	f, err := OpenStream(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes, the most that is read of such a file", path, limit)
	}
	return b, nil
}

// kind names the kind of a file that is not regular.
func kind(m fs.FileMode) string {
	switch {
	case m.IsDir():
		return "a folder"
	case m&fs.ModeNamedPipe != 0:
		return "a pipe"
	case m&fs.ModeSocket != 0:
		return "a socket"
	case m&fs.ModeDevice != 0:
		return "a device"
	}
	return "no regular file"
}
