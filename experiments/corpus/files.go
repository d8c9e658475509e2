package corpus

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"workbench/arch/files"
)

// maxBytes bounds a text read from files.
const maxBytes = 256 << 20

func openPath(path string) (*Text, error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("no corpus %q: it is neither a file nor a folder, nor one of %s", path, names())
	case err != nil:
		return nil, fmt.Errorf("corpus %w", err)
	case info.IsDir():
		return openFolder(path)
	}
	data, err := readUpTo(nil, path, maxBytes)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("corpus %s is empty", path)
	}
	name := baseName(path)
	return newText(name, "file "+name+cutNote(len(data)), data), nil
}

// openFolder joins the regular files of a folder in the order of their names,
// with a newline between; hidden and binary files stay out.
func openFolder(path string) (*Text, error) {
	data, files, err := joinFiles(path, maxBytes, func(rel string, d fs.DirEntry) bool {
		return !strings.HasPrefix(d.Name(), ".")
	}, func(file []byte) bool { return bytes.IndexByte(file, 0) < 0 })
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, fmt.Errorf("corpus %s holds no text: hidden files and files with NUL bytes are left out", path)
	}
	name := baseName(path)
	plural := "s"
	if files == 1 {
		plural = ""
	}
	return newText(name, fmt.Sprintf("folder %s, %d file%s%s", name, files, plural, cutNote(len(data))), data), nil
}

// baseName is the last part of a path, also of "." and "..".
func baseName(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return filepath.Base(path)
}

func cutNote(n int) string {
	if n == maxBytes {
		return fmt.Sprintf(", the first %d MiB", maxBytes>>20)
	}
	return ""
}

// joinFiles concatenates up to limit bytes of the regular files below root, in
// the order of filepath.WalkDir, with a newline between. enter chooses files
// and folders by path relative to root, take chooses files by content.
func joinFiles(root string, limit int, enter func(rel string, d fs.DirEntry) bool, take func([]byte) bool) (data []byte, files int, err error) {
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, 0, fmt.Errorf("corpus %w", err)
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return fmt.Errorf("corpus %w", err)
		}
		if path == root {
			return nil
		}
		rel, err := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case len(data) == limit:
			return filepath.SkipAll
		case d.IsDir() && !enter(rel, d):
			return filepath.SkipDir
		case !d.Type().IsRegular() || !enter(rel, d):
			return nil
		}
		start := len(data)
		if start > 0 {
			data = append(data, '\n')
		}
		text := len(data)
		if data, err = readUpTo(data, path, limit); err != nil {
			return err
		}
		if len(data) == text || !take(data[text:]) {
			data = data[:start]
			return nil
		}
		files++
		return nil
	})
	return data, files, err
}

// readUpTo appends a file to data, as much of it as limit bytes in all allow.
func readUpTo(data []byte, path string, limit int) ([]byte, error) {
	f, err := files.OpenStream(path)
	if err != nil {
		return nil, fmt.Errorf("corpus %w", err)
	}
	defer f.Close()
	buf := bytes.NewBuffer(data)
	if _, err := buf.ReadFrom(io.LimitReader(f, int64(limit-len(data)))); err != nil {
		return nil, fmt.Errorf("corpus %w", err)
	}
	return buf.Bytes(), nil
}
