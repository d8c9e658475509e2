// Package experiments runs studies: which models are measured how is data, a
// strict YAML file; the runner gives every cell a process of its own, lets the
// processes of a compared group take samples in turn and keeps every raw
// sample as a record.
package experiments

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"

	"workbench/arch/files"
	"workbench/experiments/record"
)

// A Study is a question with the models and measurements that answer it, and
// the claims that are judged by them. Without parts it is its own only part.
type Study struct {
	Name     string         `yaml:"name"`
	Title    string         `yaml:"title,omitempty"`
	Question string         `yaml:"question,omitempty"`
	Method   string         `yaml:"method,omitempty"`
	Predicts string         `yaml:"predicts,omitempty"`
	Corpus   string         `yaml:"corpus,omitempty"` // name or path, corpus.Default where it is left out
	Seeds    int            `yaml:"seeds,omitempty"`  // of quality, 3 by default
	Match    float64        `yaml:"match,omitempty"`
	Arch     []Arch         `yaml:"arch,omitempty"`
	Measure  Measure        `yaml:"measure,omitempty"`
	Parts    []Part         `yaml:"parts,omitempty"`
	Claims   []record.Claim `yaml:"claims,omitempty"`
	// Profiles holds what a profile changes, by profile and part.
	Profiles map[string]map[string]*Override `yaml:"profiles,omitempty"`

	source string // the text it was loaded from, "" once changed
	doc    document
}

// A Part is one compared group: arms that are measured together.
type Part struct {
	Name  string `yaml:"name"`
	Title string `yaml:"title,omitempty"`
	Note  string `yaml:"note,omitempty"`
	// Baseline is the label the others are compared with, the first by default.
	Baseline string  `yaml:"baseline,omitempty"`
	Corpus   string  `yaml:"corpus,omitempty"` // the study's by default
	Seeds    int     `yaml:"seeds,omitempty"`
	Match    float64 `yaml:"match,omitempty"` // largest relative difference of non-embedding parameters, 0: any
	Arch     []Arch  `yaml:"arch"`
	Measure  Measure `yaml:"measure"`

	index int // among the parts of the file
}

//go:embed catalog/*.yaml
var catalog embed.FS

// Catalog lists the names of the built-in studies.
func Catalog() []string {
	files, err := fs.Glob(catalog, "catalog/*.yaml")
	if err != nil {
		panic("experiments: " + err.Error())
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".yaml")
	}
	return files
}

// maxStudy bounds the size of a study file in bytes.
const maxStudy = 64 << 10

// Load reads a study of the catalogue by name, or a YAML file by path.
func Load(nameOrFile string) (*Study, error) {
	if slices.Contains(Catalog(), nameOrFile) {
		b, err := catalog.ReadFile("catalog/" + nameOrFile + ".yaml")
		if err != nil {
			return nil, err
		}
		return Parse(nameOrFile+".yaml", string(b))
	}
	b, err := files.Read(nameOrFile, maxStudy)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no study %q: it is neither a file nor one of %s", nameOrFile, strings.Join(Catalog(), ", "))
	}
	if err != nil {
		return nil, err
	}
	return Parse(nameOrFile, string(b))
}

// Parse reads a study from YAML and checks it with every profile of its own.
// Errors name the file and the line.
func Parse(file, text string) (*Study, error) {
	s, err := read(file, strings.TrimPrefix(text, "\ufeff")) // editors put a mark before UTF-8
	if err == nil {
		err = s.doc.locate(s.check())
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// read reads a study without holding its parts against each other.
func read(file, text string) (*Study, error) {
	s := &Study{source: text}
	var err error
	if s.doc, err = decodeStrict(file, text, s); err == nil {
		err = s.doc.locate(s.normalise())
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// YAML is the study as a file: the text it was loaded from or, once a profile
// or settings changed it, the study as it will be executed.
func (s *Study) YAML() string {
	if s.source != "" {
		return s.source
	}
	b, err := yaml.MarshalWithOptions(s, yaml.UseLiteralStyleIfMultiline(true))
	if err != nil {
		panic("experiments: " + err.Error())
	}
	return string(b)
}
