package checkpoint

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// tensors are the tensors of a file under the names of this program.
type tensors map[string]*stored

func (ts tensors) names() []string { return slices.Sorted(maps.Keys(ts)) }

// A layout reads the sizes of an architecture from the shapes of its tensors,
// and returns the tensors that a file of these sizes must hold.
type layout func(s *sizes) (config map[string]any, want map[string][]int)

// layouts are the layouts of other programs' files; files of Save need none.
var layouts = map[string]layout{
	"rwkv4":       layoutRWKV4,
	"rwkv5":       layoutRWKV5,
	"rwkv6":       layoutRWKV6,
	"rwkv7":       layoutRWKV7,
	"transformer": layoutTransformer,
	"llama":       layoutLlama,
	"rnn":         layoutRNN(1),
	"gru":         layoutRNN(3),
	"lstm":        layoutRNN(4),
}

func layoutTransformer(s *sizes) (map[string]any, map[string][]int) {
	V, C := s.matrix("transformer.wte.weight")
	F, _ := s.matrix("transformer.h.0.mlp.c_fc.weight")
	L := s.layers("transformer.h.")
	config := map[string]any{
		"dim": C, "layers": L, "vocab": V, "ffn": F,
		"tied": s.ts["lm_head.weight"] == nil,
		"bias": s.ts["transformer.h.0.attn.c_attn.bias"] != nil,
	}
	want := map[string][]int{
		"transformer.wte.weight": {V, C}, "transformer.ln_f.weight": {C}, "transformer.ln_f.bias": {C},
	}
	if s.ts["lm_head.weight"] != nil {
		want["lm_head.weight"] = []int{V, C}
	}
	if s.ts["transformer.wpe.weight"] != nil {
		T, _ := s.matrix("transformer.wpe.weight")
		want["transformer.wpe.weight"] = []int{T, C}
		config["context"], config["positions"] = T, "learned"
	}
	s.each(want, "transformer.h.%d.", L, map[string][]int{
		"ln_1.weight": {C}, "ln_1.bias": {C}, "ln_2.weight": {C}, "ln_2.bias": {C},
		"attn.c_attn.weight": {3 * C, C}, "attn.c_attn.bias": {3 * C},
		"attn.c_proj.weight": {C, C}, "attn.c_proj.bias": {C},
		"mlp.c_fc.weight": {F, C}, "mlp.c_fc.bias": {F},
		"mlp.c_proj.weight": {C, F}, "mlp.c_proj.bias": {C},
	})
	return config, want
}

// conv1D are the matrices that GPT-2 stores [in,out].
var conv1D = []string{"c_attn.weight", "c_proj.weight", "c_fc.weight"}

// transposeConv1D transposes these matrices where the file stores them
// [in,out], and returns their names.
func (ts tensors) transposeConv1D() map[string]bool {
	turned := map[string]bool{}
	t := ts["transformer.h.0.attn.c_attn.weight"] // [3C,C] or [C,3C]
	if t == nil || len(t.Shape) != 2 || t.Shape[1] != 3*t.Shape[0] {
		return turned
	}
	for _, name := range ts.names() {
		if t := ts[name]; len(t.Shape) == 2 && slices.ContainsFunc(conv1D, func(s string) bool { return strings.HasSuffix(name, s) }) {
			ts[name], turned[name] = t.transposed(), true
		}
	}
	return turned
}

// sizes reads dimensions from tensors, and keeps the first error.
type sizes struct {
	ts    tensors
	shown func(name string) string // the name of a weight in the file
	err   error
}

func (s *sizes) fail(format string, args ...any) {
	if s.err == nil {
		s.err = fmt.Errorf(format, args...)
	}
}

func (s *sizes) has(name string) bool { return s.ts[name] != nil }

// rank is the number of axes of the first of these tensors that exists.
func (s *sizes) rank(names ...string) int {
	for _, name := range names {
		if s.has(name) {
			return len(s.ts[name].Shape)
		}
	}
	return 0
}

// axis is the length of an axis of a matrix or of a stack of matrices.
func (s *sizes) axis(name string, i int) int {
	t := s.ts[name]
	switch {
	case t == nil:
		s.missing(name)
	case len(t.Shape) != max(2, i+1) || t.len() == 0:
		s.fail("tensor %q has shape %v and should have %d axes", t.Name, clipInts(t.Shape), max(2, i+1))
	default:
		return t.Shape[i]
	}
	return 0
}

func (s *sizes) missing(name string) { s.fail("tensor %q is missing", s.shown(name)) }

func (s *sizes) matrix(name string) (rows, cols int) {
	t := s.ts[name]
	switch {
	case t == nil:
		s.missing(name)
	case len(t.Shape) != 2 || t.len() == 0:
		s.fail("tensor %q has shape %v and should be a matrix", t.Name, clipInts(t.Shape))
	default:
		return t.Shape[0], t.Shape[1]
	}
	return 0, 0
}

// layers returns L where the numbers that follow prefix in names are 0 to L-1.
func (s *sizes) layers(prefix string) int {
	seen, last := map[int]string{}, 0
	for _, name := range s.ts.names() {
		rest, ok := strings.CutPrefix(name, prefix)
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		if l, err := strconv.Atoi(rest[:digits]); ok && err == nil {
			seen[l], last = s.ts[name].Name, max(last, l)
		}
	}
	for l := range len(seen) {
		if seen[l] == "" {
			s.fail("there is no layer %d, and there is tensor %q", l, seen[last])
			break
		}
	}
	return len(seen)
}

// each adds the tensors of every layer; prefix contains its number.
func (s *sizes) each(want map[string][]int, prefix string, layers int, shapes map[string][]int) {
	for l := range layers {
		for name, shape := range shapes {
			want[fmt.Sprintf(prefix, l)+name] = shape
		}
	}
}

// check compares a file with its layout. Vectors may be missing: Assign knows
// which ones a model has.
func (w *Weights) check(want map[string][]int) error {
	for _, name := range w.Names() {
		t := w.tensors[name]
		shape, ok := want[name]
		if !ok {
			return fmt.Errorf("unexpected tensor %.80q", t.Name)
		}
		if !slices.Equal(t.Shape, shape) {
			return fmt.Errorf("tensor %q has shape %v and should have %v", t.Name, clipInts(t.Shape), shape)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if len(want[name]) >= 2 && w.tensors[name] == nil {
			return fmt.Errorf("tensor %q is missing", w.inFile(name))
		}
	}
	return nil
}

// bounded refuses tensors of integers, and sizes that would make a model far
// larger than its file.
func (ts tensors) bounded(want map[string][]int, size int64) error {
	total, expansion := 0.0, 8.0 // float32 takes at most this many times the bytes of any type
	for _, name := range ts.names() {
		t := ts[name]
		if !t.isFloat() {
			return fmt.Errorf("tensor %q is %s and should be of floating point", t.Name, t.DType)
		}
		if dtypes[t.DType].elems > 1 {
			expansion = 32
		}
	}
	for _, shape := range want {
		n := 4.0
		for _, d := range shape {
			n *= float64(d)
		}
		total += n
	}
	if total > expansion*float64(size) {
		return fmt.Errorf("%.0f bytes of weights in a file of %d", total, size)
	}
	return nil
}
