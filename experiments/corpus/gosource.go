package corpus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"workbench/arch/files"
)

// Default is the source that is used where none is named.
const Default = "go"

func init() {
	Register(Default, "source of the standard library of the Go toolchain found here, grammar where there is none (the default)", struct{}{},
		func(struct{}) (Source, error) { return goSource(), nil }, BitsPerByte)
}

// goBytes is where the text of Go's standard library is cut: 16 MiB, about
// nine tenths of it.
const goBytes = 16 << 20

// goSource is the hand-written, non-test source of the standard library of
// the toolchain found on this machine, or the grammar and why.
func goSource() *Text {
	root, err := goRoot()
	if err == nil {
		var data []byte
		src := filepath.Join(root, "src")
		if data, _, err = joinFiles(src, goBytes, isLibrary, handWritten); err == nil && len(data) < 1<<20 {
			err = fmt.Errorf("%s holds %d bytes of source", src, len(data))
		}
		if err == nil {
			return newText(Default, goVersion(root)+" standard library source", data)
		}
	}
	t := grammarText()
	t.Source += fmt.Sprintf("; stands in for Go's standard library: %v", err)
	return t
}

// isLibrary keeps the .go files of packages that users import: no tests, no
// commands, no vendored modules.
func isLibrary(rel string, d fs.DirEntry) bool {
	if d.IsDir() {
		name := d.Name()
		return rel != "cmd" && name != "testdata" && name != "vendor" && !strings.HasPrefix(name, ".")
	}
	return strings.HasSuffix(rel, ".go") && !strings.HasSuffix(rel, "_test.go")
}

// handWritten leaves out tables and stubs made by programs: a third of the
// bytes, and nothing like text.
func handWritten(file []byte) bool {
	for line := range bytes.Lines(file) {
		line = bytes.TrimSpace(line)
		if bytes.HasPrefix(line, []byte("// Code generated ")) && bytes.HasSuffix(line, []byte(" DO NOT EDIT.")) {
			return false
		}
		if bytes.HasPrefix(line, []byte("package ")) {
			break
		}
	}
	return true
}

// goRoot finds the toolchain: the go command on the path, else the GOROOT of
// the environment.
func goRoot() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "env", "GOROOT")
	cmd.Dir = string(filepath.Separator)
	cmd.Env = append(os.Environ(), "GOTOOLCHAIN=local", "GOWORK=off")
	if out, err := cmd.Output(); err == nil {
		if root := strings.TrimSpace(string(out)); root != "" {
			return root, nil
		}
	}
	if root := os.Getenv("GOROOT"); root != "" {
		return root, nil
	}
	return "", errors.New("no Go toolchain is installed")
}

// goVersion reads "Go 1.26.8" from the toolchain's VERSION file.
func goVersion(root string) string {
	b, err := files.Read(filepath.Join(root, "VERSION"), 1<<16)
	if err != nil {
		return "Go"
	}
	line, _, _ := strings.Cut(string(b), "\n")
	return "Go " + strings.TrimPrefix(strings.TrimSpace(line), "go")
}
