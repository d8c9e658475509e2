package kernels

import (
	"fmt"
	"sync"
)

// A ranger holds the arguments of one operation; span computes items lo … hi-1.
type ranger interface{ span(lo, hi int) }

// jobs splits operations of one kind over the pool, in blocks of grain items.
// The shapes alone decide the borders of blocks, so results do not depend on
// the number of threads. Boxes that carry arguments to the pool are reused, so
// that warm calls allocate nothing.
type jobs[W any, P interface {
	*W
	ranger
}] struct{ free sync.Pool }

// box is a job as the pool sees it: chunk i is items i*grain … (i+1)*grain-1.
type box[W any, P interface {
	*W
	ranger
}] struct {
	work     W
	n, grain int
}

func (b *box[W, P]) chunk(i int) {
	lo := i * b.grain
	P(&b.work).span(lo, min(lo+b.grain, b.n))
}

// run computes n items of w in blocks of grain.
func (j *jobs[W, P]) run(n, grain int, w W) {
	if n <= 0 {
		return
	}
	b, _ := j.free.Get().(*box[W, P])
	if b == nil {
		b = new(box[W, P])
	}
	b.work, b.n, b.grain = w, n, max(grain, 1)
	if chunks := (n + b.grain - 1) / b.grain; chunks == 1 {
		b.chunk(0)
	} else {
		runChunks(chunks, b)
	}
	var zero W
	b.work = zero
	j.free.Put(b)
}

// blockFloats is the size of one chunk of a memory-bound operation: some
// microseconds, well above the cost of claiming a chunk (about 0.1 µs).
const blockFloats = 8192

// rowGrain returns how many rows of C floats make one chunk.
func rowGrain(C int) int { return max(1, blockFloats/max(C, 1)) }

// columnBlock is the width of a chunk for operations that sum over rows: a
// whole number of cache lines, so that no two chunks write the same one.
const columnBlock = 64

// need panics unless x holds exactly n floats.
func need(op, name string, x []float32, n int) {
	if len(x) != n {
		panic(fmt.Sprintf("kernels: %s: %s has %d floats, want %d", op, name, len(x), n))
	}
}

// needOrNil is need for an argument that may be nil.
func needOrNil(op, name string, x []float32, n int) {
	if x != nil {
		need(op, name, x, n)
	}
}

// needDims panics on a negative dimension.
func needDims(op string, dims ...int) {
	for _, d := range dims {
		if d < 0 {
			panic(fmt.Sprintf("kernels: %s: negative dimension in %v", op, append([]int(nil), dims...)))
		}
	}
}

// needReach panics unless rows of width floats fit in x when the last row
// starts at last.
func needReach(op, name string, x []float32, last, width int) {
	needRows(op, name, len(x), last, width)
}

// needRows is needReach for an x of n floats.
func needRows(op, name string, n, last, width int) {
	if last < 0 || width < 0 || n < last+width {
		panic(fmt.Sprintf("kernels: %s: %s has %d floats, its last row ends at %d", op, name, n, last+width))
	}
}
