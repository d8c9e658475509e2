package main

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"workbench/arch"
)

// known architectures have a row each, which says everything.
func TestSupported(t *testing.T) {
	for _, name := range arch.Names() {
		row := reflect.ValueOf(supported[name])
		for i := range row.NumField() {
			if s := row.Field(i).String(); s == "" || strings.Contains(s, "|") {
				t.Errorf("%s: %s is %q", name, row.Type().Field(i).Name, s)
			}
		}
	}
	out, _, err := call("list")
	if err != nil || !strings.Contains(out, supported["rwkv4"].Files) || !strings.Contains(out, supported["rwkv4"].Source) {
		t.Errorf("list does not say what rwkv4 reads: %v", err)
	}
}

// TestReadmeArchitectures: the README's table is the program's.
func TestReadmeArchitectures(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Skip("there is no README.md")
	}
	first, _, _ := strings.Cut(archMarkdown(nil), "\n")
	lines := strings.SplitAfter(string(b), "\n")
	at := slices.Index(lines, first+"\n")
	if at < 0 {
		t.Skip("README.md has no table of architectures yet")
	}
	end := at
	for end < len(lines) && strings.HasPrefix(lines[end], "|") {
		end++
	}
	if got, want := strings.Join(lines[at:end], ""), archMarkdown(arch.Names()); got != want {
		t.Errorf("README.md: the table of architectures is not the program's, which is\n%s", want)
	}
}
