package checkpoint

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
)

// partName matches the names of the parts of a model, used by all programs:
// NAME-00001-of-00003.EXTENSION.
var partName = regexp.MustCompile(`^(.*)-(\d+)-of-(\d+)\.(\w+)$`)

// addParts adds the tensors of the other files of a split GGUF. The first file
// holds the keys, and each holds its number and the number of files.
// Source: ggml-org/llama.cpp tools/gguf-split/gguf-split.cpp.
func (f *File) addParts() error {
	count, tensors := f.number("split.count"), f.number("split.tensors.count")
	if count <= 1 {
		return f.holds(tensors)
	}
	m := partName.FindStringSubmatch(filepath.Base(f.path))
	if m == nil {
		return fmt.Errorf("is one of %d parts (split.count): name it as llama.cpp does, MODEL-00001-of-%05d.gguf, beside the others", count, count)
	}
	name := func(i int) string { return fmt.Sprintf("%s-%05d-of-%05d.gguf", m[1], i+1, count) }
	if no := f.number("split.no"); no != 0 {
		return fmt.Errorf("is part %d of %d: give the first, %s", no+1, count, name(0))
	}
	if n, err := strconv.Atoi(m[3]); err != nil || n != count {
		return fmt.Errorf("is one of %d parts (split.count), and its name says of %s", count, m[3])
	}
	for i := 1; i < count; i++ {
		if err := f.addPart(name(i), i, count); err != nil {
			return fmt.Errorf("part %d of %d: %w", i+1, count, err)
		}
	}
	return f.holds(tensors)
}

// addPart adds the tensors of part i, which lies beside the first.
func (f *File) addPart(name string, i, count int) error {
	file, src, err := openSource(filepath.Join(filepath.Dir(f.path), name))
	if err != nil {
		return err
	}
	f.closers = append(f.closers, file)
	part := newFile(name, src)
	if err := part.parseGGUF(src); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if no, n := part.number("split.no"), part.number("split.count"); no != i || n != count {
		return fmt.Errorf("%s says that it is part %d of %d", name, no+1, n)
	}
	f.size += part.size
	for _, t := range part.Names() {
		if err := f.add(part.tensors[t]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// holds compares the number of tensors with split.tensors.count, which is 0
// where it is absent.
func (f *File) holds(tensors int) error {
	if tensors != 0 && len(f.tensors) != tensors {
		return fmt.Errorf("split.tensors.count is %d, the parts hold %d tensors", tensors, len(f.tensors))
	}
	return nil
}
