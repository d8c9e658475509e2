package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
)

// isIndex tells a JSON object from the length of a safetensors header, whose
// bytes 6 and 7 are zero.
func isIndex(head []byte) bool { return head[0] == '{' && head[6] != 0 && head[7] != 0 }

// shardName is how the parts of a model are called: model-00001-of-00003.safetensors.
var shardName = regexp.MustCompile(`^(.*)-\d+-of-(\d+)\.safetensors$`)

// parseIndex reads a model.safetensors.index.json, {"weight_map": {tensor:
// file}}, and opens the files it names, which lie in its folder.
func (f *File) parseIndex(src source) error {
	if src.size > maxHeader {
		return fmt.Errorf("an index of %d bytes, at most %d are read", src.size, maxHeader)
	}
	b, err := src.bytes(0, src.size)
	if err != nil {
		return err
	}
	var index struct {
		Map map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(b, &index); err != nil {
		return fmt.Errorf("index: %w", err)
	}
	if len(index.Map) == 0 {
		return errors.New("a JSON file without a weight_map: name a model file")
	}
	f.size = 0
	shards := slices.Compact(slices.Sorted(maps.Values(index.Map)))
	for _, name := range shards {
		if err := f.addShard(name, index.Map); err != nil {
			return fmt.Errorf("shard %.80q: %w", name, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(index.Map)) {
		if f.tensors[name] == nil {
			return fmt.Errorf("shard %.80q does not hold tensor %.80q, which the index puts there", index.Map[name], name)
		}
	}
	return f.noOther(shards)
}

// addShard takes in the tensors of one file.
func (f *File) addShard(name string, where map[string]string) error {
	if !filepath.IsLocal(name) {
		return errors.New("lies outside the folder of the index")
	}
	file, src, err := openSource(filepath.Join(filepath.Dir(f.path), name))
	if err != nil {
		return err
	}
	f.closers = append(f.closers, file)
	part := newFile(name, src)
	if err := part.parseSafetensors(src); err != nil {
		return err
	}
	f.size += part.size
	for _, t := range part.Names() {
		if where[t] != name {
			return fmt.Errorf("holds tensor %.80q, which the index does not put there", t)
		}
		if err := f.add(part.tensors[t]); err != nil {
			return err
		}
	}
	maps.Copy(f.Metadata, part.Metadata)
	return nil
}

// noOther refuses a part of the same model that the index does not name.
func (f *File) noOther(shards []string) error {
	entries, err := os.ReadDir(filepath.Dir(f.path))
	if err != nil {
		return err
	}
	for _, e := range entries {
		m := shardName.FindStringSubmatch(e.Name())
		if m == nil || slices.Contains(shards, e.Name()) {
			continue
		}
		if slices.ContainsFunc(shards, func(s string) bool {
			o := shardName.FindStringSubmatch(s)
			return o != nil && o[1] == m[1] && o[2] == m[2]
		}) {
			return fmt.Errorf("shard %.80q lies beside the others and the index does not name it", e.Name())
		}
	}
	return nil
}
