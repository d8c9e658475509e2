package nn

import (
	"fmt"
	"slices"

	"workbench/kernels"
)

// KVCache is the key-value cache of one attention layer: the keys and values of
// the S positions so far, [S,B,C] each, or of the last positions where there is
// a window. Queries read them as they are stored, those of their own call too,
// so that a text gives the same numbers in any pieces; the gradient takes
// rounding for the identity.
type KVCache struct {
	K *Tensor `s:"k"`
	V *Tensor `s:"v"`
	// Seen is the number n of positions so far, where a window drops some, as [n
	// mod 2^20, n/2^20], which float32 holds exactly; nil without a window.
	Seen *Tensor `s:"seen"`

	window int
	// slides of K and V, used where there is a window.
	slides [2]sliding
}

// NewKVCache returns an empty cache for B sequences of C channels that keeps
// the last window positions, or all where window is 0, as f32, f16 or bf16.
func NewKVCache(B, C, window int, as kernels.DType) *KVCache {
	c := &KVCache{K: New(0, B, C), V: New(0, B, C), window: window}
	switch as {
	case kernels.F32:
	case kernels.F16, kernels.BF16:
		for _, t := range [...]*Tensor{c.K, c.V} {
			t.Data, t.Half = nil, &kernels.Half{Type: as}
		}
	default:
		panic(fmt.Sprintf("nn: NewKVCache: keys and values cannot be %s", as))
	}
	if window > 0 {
		c.Seen = New(2)
	}
	return c
}

const seenUnit = 1 << 20

// Positions is the number of positions seen.
func (c *KVCache) Positions() int {
	if c.Seen == nil {
		return c.K.Dim(0)
	}
	return int(c.Seen.Data[0]) + seenUnit*int(c.Seen.Data[1])
}

// Reserve makes room for that many positions, so that the cache need not be
// moved as it grows.
func (c *KVCache) Reserve(positions int) {
	if c.window > 0 {
		positions = min(positions, c.window)
	}
	for _, t := range [...]*Tensor{c.K, c.V} {
		Reserve(t, positions)
	}
}

// Reserve makes room for that many rows in a tensor of a state that grows along
// its first axis.
func Reserve(t *Tensor, rows int) {
	if outlining.Load() {
		t.Shape[0], t.Data = rows, nil
		return
	}
	more := rows - t.Dim(0)
	for _, d := range t.Shape[1:] {
		more *= d
	}
	switch {
	case more <= 0:
	case t.Half != nil:
		t.Half.Bits = slices.Grow(t.Half.Bits, more)
	default:
		t.Data = slices.Grow(t.Data, more)
	}
}

// add appends the keys and values of T positions and returns all that their
// queries see, [S,B,C]. inCache reports that the returned slices are the memory
// of the cache, which later positions overwrite.
func (c *KVCache) add(g *Graph, k, v columns) (seen kernels.QKV, S int, inCache bool) {
	T := k.t.Dim(1)
	if c.window > 0 {
		n := c.Positions() + T
		c.Seen.Data[0], c.Seen.Data[1] = float32(n%seenUnit), float32(n/seenUnit)
		if T > 1 {
			seen.K, seen.V = c.join(g, c.K, k), c.join(g, c.V, v)
			return seen, len(seen.K) / (c.K.Dim(1) * c.K.Dim(2)), false
		}
		c.slides[0].drop(c.K, c.window)
		c.slides[1].drop(c.V, c.window)
	}
	c.K.push(k)
	c.V.push(v)
	return c.stored(), c.K.Dim(0), true
}

// stored are the keys and values in the memory of the cache.
func (c *KVCache) stored() kernels.QKV {
	if c.K.Half != nil {
		return kernels.QKV{KHalf: c.K.half(), VHalf: c.V.half()}
	}
	return kernels.QKV{K: c.K.Data, V: c.V.Data}
}

// sliding is the memory of keys or values with a window, of which the tensor
// holds a part that moves towards the end; one of the two types is in use.
type sliding struct {
	floats []float32
	halves []uint16
}

// drop drops from t the positions that the next query does not see, and makes
// room for the next position.
func (s *sliding) drop(t *Tensor, window int) {
	row := t.Dim(1) * t.Dim(2)
	drop := max(0, t.Dim(0)-(window-1))
	t.Shape[0] -= drop
	if t.Half != nil {
		t.Half.Bits = slid(&s.halves, t.Half.Bits[drop*row:], row, window)
		return
	}
	t.Data = slid(&s.floats, t.Data[drop*row:], row, window)
}

// slid returns x with room for another row: where it has none, at the front of
// the buffer.
func slid[E any](buffer *[]E, x []E, row, window int) []E {
	if len(x)+row <= cap(x) {
		return x
	}
	// The buffer holds a quarter more than the window, so that a row is moved to
	// the front about four times before it is dropped.
	if room := (window + window/4 + 16) * row; len(*buffer) < room {
		*buffer = make([]E, room)
	}
	return (*buffer)[:copy(*buffer, x)]
}

// join returns the positions in t that the queries of x still see, followed by
// x as t stores it, and keeps the last window of them in t.
func (c *KVCache) join(g *Graph, t *Tensor, x columns) []float32 {
	B, T, C := t.Dim(1), x.t.Dim(1), t.Dim(2)
	S := min(t.Dim(0), c.window-1)
	old := S * B * C
	all := g.floats(old + T*B*C)
	if first := t.Len() - old; t.Half != nil {
		h := t.half()
		h.Bits = h.Bits[first:]
		h.Expand(all[:old])
	} else {
		copy(all, t.Data[first:])
	}
	whole := Tensor{Shape: []int{S, B, C}, Data: all[:old]}
	whole.push(x)
	if t.Half != nil {
		kernels.RoundHalf(t.Half.Type, all[old:])
	}
	kept := min(c.window, S+T)
	t.SetFloats(all[len(all)-kept*B*C:], []int{kept, B, C})
	return all
}

// push appends the rows of x to a cache [S,B,C].
func (t *Tensor) push(x columns) {
	B, T, row, C := x.t.Dim(0), x.t.Dim(1), x.t.Dim(2), t.Dim(2)
	if t.Half != nil {
		*t.Half = t.half()
	}
	for i := range T {
		for b := range B {
			at := (b*T+i)*row + x.from
			if y := x.t.Data[at : at+C]; t.Half != nil {
				t.Half.Append(y)
			} else {
				t.Data = append(t.Data, y...)
			}
		}
	}
	t.Shape[0] += T
}
