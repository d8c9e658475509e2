package checkpoint

import (
	"encoding/json"
	"fmt"
)

// blocksKey is the metadata key of quantised tensors in a safetensors file: a
// JSON object of tensor names and their ggml types. Such a tensor is U8 of
// shape [..., K/32·bytes]: the blocks of its rows of K elements, as in a GGUF
// file (q8_0: 34 bytes for 32 elements, q4_0: 18).
const blocksKey = "ggml_types"

// asBlocks sets the type and shape of quantised tensors.
func (f *File) asBlocks() error {
	text, ok := f.Metadata[blocksKey]
	if !ok {
		return nil
	}
	var types map[string]string
	if err := json.Unmarshal([]byte(text), &types); err != nil {
		return fmt.Errorf("metadata %q: %w", blocksKey, err)
	}
	for name, dtype := range types {
		t, d := f.tensors[name], dtypes[dtype]
		switch {
		case t == nil:
			return fmt.Errorf("metadata %q names tensor %.80q, which is missing", blocksKey, name)
		case d.elems <= 1:
			return fmt.Errorf("metadata %q: tensor %.80q is of type %.20q, which is no type of blocks", blocksKey, name, dtype)
		case t.DType != "U8" || len(t.Shape) == 0 || t.Shape[len(t.Shape)-1]%d.bytes != 0:
			return fmt.Errorf("tensor %.80q: %s %v are not whole blocks of %s", name, t.DType, clipInts(t.Shape), dtype)
		}
		t.DType, t.n = dtype, t.n/d.bytes*d.elems
		t.Shape[len(t.Shape)-1] = t.Shape[len(t.Shape)-1] / d.bytes * d.elems
	}
	return nil
}
