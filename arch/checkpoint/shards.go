package checkpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
)

// isIndex distinguishes a JSON object from the length of a safetensors header,
// whose bytes 6 and 7 are zero.
func isIndex(head []byte) bool { return head[0] == '{' && head[6] != 0 && head[7] != 0 }

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
	return complete(shards)
}

// addShard adds the tensors of one file.
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

// complete refuses an index without a part that the names of other parts imply.
func complete(shards []string) error {
	for _, s := range shards {
		m := partName.FindStringSubmatch(s)
		if m == nil {
			continue
		}
		if n, err := strconv.Atoi(m[3]); err != nil || n != len(shards) {
			return fmt.Errorf("the index names %d files, and shard %.80q is one of %s", len(shards), s, m[3])
		}
	}
	return nil
}
