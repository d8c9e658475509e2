package nn

import (
	"fmt"
	"math"
	"reflect"
	"unsafe"
)

// Graph is the tape of one step and the memory of everything computed in it:
// a slice of operations run backwards over an arena that Reset makes reusable.
// A Graph serves one goroutine.
type Graph struct {
	// Poison fills memory from the arena with NaN, so that tests find operations
	// that read before they write.
	Poison bool
	// Work counts the matrix products since the graph was made, or since the
	// caller cleared it.
	Work Work
	// Drop is the dropout of training.
	Drop Drop
	// Clock, if not nil, measures the recorded operations.
	Clock *Clock
	// Recompute asks models to keep only the inputs of layers for the gradient:
	// see the function Recompute.
	Recompute bool

	record bool
	dry    bool // the first pass of Recompute
	tape   []entry
	slabs  map[reflect.Type]interface{ reset() } // of operations
	arena  arena
}

// Work counts matrix products: the operations of Linear, Attention and the
// recurrent networks with their gradients (a multiply-add is two), and the bytes
// of weights that Linear, the recurrent networks and the embeddings read in the
// forward pass, once a call.
type Work struct{ Operations, WeightBytes int64 }

// Plus is w + v.
func (w Work) Plus(v Work) Work {
	return Work{w.Operations + v.Operations, w.WeightBytes + v.WeightBytes}
}

// product counts a product of the matrix w with that many rows.
func (g *Graph) product(w *Tensor, rows int) {
	g.Work.Operations += 2 * int64(rows) * int64(w.Len())
	g.Work.WeightBytes += int64(w.Bytes())
}

// NewGraph returns a graph that records for Backward.
func NewGraph() *Graph { return &Graph{record: true} }

// Inference returns a graph that records nothing; Backward panics.
func Inference() *Graph { return &Graph{} }

// Recording reports whether the graph records.
func (g *Graph) Recording() bool { return g.record }

// Reset clears the tape and reclaims all tensors of the graph; the memory is
// reused in the next step.
func (g *Graph) Reset() {
	clear(g.tape)
	g.tape = g.tape[:0]
	for _, s := range g.slabs {
		s.reset()
	}
	g.Drop.n = 0
	g.arena.rewind(Mark{})
}

// HighWater is the most memory that the tensors of the graph have held, in
// bytes.
func (g *Graph) HighWater() int64 { return g.arena.high * int64(unsafe.Sizeof(float32(0))) }

// Backward sets the gradient of every tensor the scalar loss depends on,
// adding to those of the weights.
func (g *Graph) Backward(loss *Tensor) {
	if !g.record || loss.Len() != 1 {
		panic(fmt.Sprintf("nn: Backward wants a recorded scalar, got shape %v", loss.Shape))
	}
	g.BackwardFrom(loss, []float32{1})
}

// BackwardFrom is Backward from a tensor y whose gradient dy, of the length of
// y, is known.
func (g *Graph) BackwardFrom(y *Tensor, dy []float32) {
	if len(dy) != y.Len() {
		panic(fmt.Sprintf("nn: BackwardFrom: %d gradients of a tensor %v", len(dy), y.Shape))
	}
	copy(g.grad(y), dy)
	g.unwind(0)
}

// unwind runs the tape backwards down to entry from and removes the entries
// that it has run. An operation that records others while it runs unwinds these
// itself.
func (g *Graph) unwind(from int) {
	for i := len(g.tape) - 1; i >= from; i-- {
		e := g.tape[i]
		g.tape = g.tape[:i]
		if e.y == nil || e.y.Grad != nil {
			e.op.back(g)
			if g.Clock != nil {
				g.Clock.lap(reflect.TypeOf(e.op).Elem())
			}
		}
	}
}

// Tensor returns a tensor of the graph; its contents are undefined.
func (g *Graph) Tensor(shape ...int) *Tensor {
	n := 1
	for _, d := range shape {
		n *= d
	}
	t := g.arena.header(shape)
	t.Data = g.floats(n)
	return t
}

// like returns a tensor of x's shape.
func (g *Graph) like(x *Tensor) *Tensor { return g.Tensor(x.Shape...) }

// floats returns scratch of the graph; its contents are undefined.
func (g *Graph) floats(n int) []float32 {
	f := g.arena.floats(n)
	if g.Poison {
		for i := range f {
			f[i] = float32(math.NaN())
		}
	}
	return f
}

// grad is the gradient to add to, nil where t is nil or gets none.
func (g *Graph) grad(t *Tensor) []float32 {
	if t == nil {
		return nil
	}
	if t.Grad == nil && t.temp && !t.Const {
		t.Grad = g.floats(t.Len())
		clear(t.Grad)
	}
	if t.Const {
		return nil
	}
	return t.Grad
}

// Mark is a position in the graph's memory.
type Mark struct{ chunk, off, used, tensors, ints int }

// Mark returns the present position, for Release.
func (g *Graph) Mark() Mark { return g.arena.mark() }

// Release reclaims the memory of everything made since m except x, which it
// moves and returns, so that inference needs the memory of one block and not of
// all. A graph that records keeps everything.
func (g *Graph) Release(m Mark, x *Tensor) *Tensor {
	if g.record {
		return x
	}
	var shape [4]int
	n := copy(shape[:], x.Shape)
	data := x.Data
	g.arena.rewind(m)
	y := g.arena.header(shape[:n])
	y.Data = g.arena.floats(len(data))
	copy(y.Data, data)
	return y
}

// arena allocates memory in order and reclaims all of it at once. The same
// sequence of requests after a rewind gets the same memory.
type arena struct {
	chunks     [][]float32
	chunk, off int
	used, high int64 // floats

	headers [][]Tensor
	nheader int
	ints    [][]int
	nint    int
}

const (
	chunkFloats  = 1 << 20
	chunkHeaders = 256
	chunkInts    = 1024
	alignFloats  = 16 // one cache line
)

func (a *arena) mark() Mark { return Mark{a.chunk, a.off, int(a.used), a.nheader, a.nint} }

func (a *arena) rewind(m Mark) {
	a.chunk, a.off, a.used, a.nheader, a.nint = m.chunk, m.off, int64(m.used), m.tensors, m.ints
}

func (a *arena) floats(n int) []float32 {
	size := (n + alignFloats - 1) &^ (alignFloats - 1)
	for a.chunk < len(a.chunks) && a.off+size > len(a.chunks[a.chunk]) {
		a.chunk++
		a.off = 0
	}
	if a.chunk == len(a.chunks) {
		a.chunks = append(a.chunks, alignedFloats(max(size, chunkFloats)))
	}
	f := a.chunks[a.chunk][a.off : a.off+n : a.off+n]
	a.off += size
	a.used += int64(size)
	a.high = max(a.high, a.used)
	return f
}

// alignedFloats returns n floats that start on a cache line.
func alignedFloats(n int) []float32 {
	f := make([]float32, n+alignFloats)
	skip := 0
	for uintptr(unsafe.Pointer(&f[skip]))%64 != 0 {
		skip++
	}
	return f[skip : skip+n]
}

func (a *arena) header(shape []int) *Tensor {
	if len(shape) > 4 {
		panic("nn: more than 4 axes")
	}
	if a.nheader/chunkHeaders == len(a.headers) {
		a.headers = append(a.headers, make([]Tensor, chunkHeaders))
	}
	t := &a.headers[a.nheader/chunkHeaders][a.nheader%chunkHeaders]
	a.nheader++

	if a.nint%chunkInts+len(shape) > chunkInts {
		a.nint += chunkInts - a.nint%chunkInts
	}
	if a.nint/chunkInts == len(a.ints) {
		a.ints = append(a.ints, make([]int, chunkInts))
	}
	c := a.ints[a.nint/chunkInts]
	s := c[a.nint%chunkInts : a.nint%chunkInts+len(shape)]
	copy(s, shape)
	a.nint += len(shape)
	*t = Tensor{Shape: s, temp: true}
	return t
}
