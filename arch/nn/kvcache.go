package nn

import "slices"

// KVCache is the key-value cache of one attention layer: the keys and values of
// the S positions so far, [S,B,C] each, or of the last positions where there is
// a window.
type KVCache struct {
	K *Tensor `s:"k"`
	V *Tensor `s:"v"`
	// Seen is the number n of positions so far, where a window drops some, as [n
	// mod 2^20, n/2^20], which float32 holds exactly; nil without a window.
	Seen *Tensor `s:"seen"`

	window int
	// buffers back K and V where there is a window: see slide.
	buffers [2][]float32
}

// NewKVCache returns an empty cache for B sequences of C channels that keeps
// the last window positions, or all where window is 0.
func NewKVCache(B, C, window int) *KVCache {
	c := &KVCache{K: New(0, B, C), V: New(0, B, C), window: window}
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
		if outlining.Load() {
			t.Shape[0], t.Data = positions, nil
			continue
		}
		if n := positions*t.Dim(1)*t.Dim(2) - t.Len(); n > 0 {
			t.Data = slices.Grow(t.Data, n)
		}
	}
}

// add appends the keys and values of T positions and returns all that their
// queries see, [S,B,C]. inCache reports that the returned slices are the memory
// of the cache, which later positions overwrite.
func (c *KVCache) add(g *Graph, k, v columns) (keys, values []float32, S int, inCache bool) {
	T := k.t.Dim(1)
	if c.window == 0 {
		c.K.push(k)
		c.V.push(v)
		return c.K.Data, c.V.Data, c.K.Dim(0), true
	}
	n := c.Positions() + T
	c.Seen.Data[0], c.Seen.Data[1] = float32(n%seenUnit), float32(n/seenUnit)
	if T == 1 {
		c.slide(c.K, 0)
		c.slide(c.V, 1)
		c.K.push(k)
		c.V.push(v)
		return c.K.Data, c.V.Data, c.K.Dim(0), true
	}
	keys, values = c.join(g, c.K, k), c.join(g, c.V, v)
	return keys, values, len(keys) / (c.K.Dim(1) * c.K.Dim(2)), false
}

// slide drops from t (K or V) the positions that the next query does not see,
// and makes room for the next position.
func (c *KVCache) slide(t *Tensor, i int) {
	row := t.Dim(1) * t.Dim(2)
	if drop := t.Dim(0) - (c.window - 1); drop > 0 {
		t.Data = t.Data[drop*row:]
		t.Shape[0] -= drop
	}
	if len(t.Data)+row <= cap(t.Data) {
		return
	}
	// The buffer holds a quarter more than the window, so that a row is moved to
	// the front about four times before it is dropped.
	if room := (c.window + c.window/4 + 16) * row; len(c.buffers[i]) < room {
		c.buffers[i] = make([]float32, room)
	}
	t.Data = c.buffers[i][:copy(c.buffers[i], t.Data)]
}

// join returns the positions in t that the queries of x still see, followed by
// x, and stores the last window of them in t.
func (c *KVCache) join(g *Graph, t *Tensor, x columns) []float32 {
	B, T, C := t.Dim(1), x.t.Dim(1), t.Dim(2)
	old := t.Data[max(0, t.Dim(0)-(c.window-1))*B*C:]
	all := g.floats(len(old) + T*B*C)
	whole := Tensor{Shape: []int{len(old) / (B * C), B, C}, Data: all[:copy(all, old)]}
	whole.push(x)
	kept := min(c.window, whole.Dim(0))
	t.Data = append(t.Data[:0], all[len(all)-kept*B*C:]...)
	t.Shape[0] = kept
	return all
}

// push appends the rows of x to a cache [S,B,C].
func (t *Tensor) push(x columns) {
	B, T, row, C := x.t.Dim(0), x.t.Dim(1), x.t.Dim(2), t.Dim(2)
	for i := range T {
		for b := range B {
			at := (b*T+i)*row + x.from
			t.Data = append(t.Data, x.t.Data[at:at+C]...)
		}
	}
	t.Shape[0] += T
}
