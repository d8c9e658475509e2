package kernels

// A network is a recurrence in the hands of its steps: step computes rows
// b0 … b1-1 and chunk lo … hi-1 of chunks of the units at time t, reading what
// other chunks wrote at the time before.
type network interface {
	step(t, b0, b1, lo, hi, chunks int)
}

// recurrence takes a network N through T steps, the last one first where it
// runs back.
type recurrence[N any, P interface {
	*N
	network
}] struct {
	texts jobs[textsOf[N, P], *textsOf[N, P]]
	steps jobs[stepOf[N, P], *stepOf[N, P]]
}

const (
	// textRows is the rows that a thread takes through all steps, at least.
	textRows = 4
	// residentFloats is a matrix that stays in a core's second-level cache
	// while other rows pass by, 512 KiB.
	residentFloats = 128 << 10
)

// run lets every thread take rows of its own through all steps where there are
// enough and each can keep all of the weights. Else threads share every step's
// units, each keeping its part of the weights. Both give the same numbers.
func (r *recurrence[N, P]) run(net N, B, T, weights int, back bool) {
	groups, threads := (B+textRows-1)/textRows, Threads()
	switch {
	case threads == 1 || B*weights <= 1<<14:
		r.texts.run(1, 1, textsOf[N, P]{net: net, B: B, rows: B, T: T, back: back})
	case groups >= threads && weights <= residentFloats:
		r.texts.run(groups, 1, textsOf[N, P]{net: net, B: B, rows: textRows, T: T, back: back})
	default:
		for i := range T {
			r.steps.run(threads, 1, stepOf[N, P]{net: net, B: B, t: inTime(i, T, back), chunks: threads})
		}
	}
}

// inTime is the i-th of T steps.
func inTime(i, T int, back bool) int {
	if back {
		return T - 1 - i
	}
	return i
}

// textsOf takes groups of rows through all steps.
type textsOf[N any, P interface {
	*N
	network
}] struct {
	net        N
	B, rows, T int
	back       bool
}

func (w *textsOf[N, P]) span(lo, hi int) {
	for ; lo < hi; lo++ {
		for i := range w.T {
			P(&w.net).step(inTime(i, w.T, w.back), lo*w.rows, min((lo+1)*w.rows, w.B), 0, 1, 1)
		}
	}
}

// stepOf does chunks of one step's units.
type stepOf[N any, P interface {
	*N
	network
}] struct {
	net          N
	B, t, chunks int
}

func (w *stepOf[N, P]) span(lo, hi int) { P(&w.net).step(w.t, 0, w.B, lo, hi, w.chunks) }

// tileN is the columns of a panel.
const tileN = 16

// hidden is a network's matrix as its steps multiply by it: blocks of n columns
// over K weights each, element (k,j) of block g being at w[g·n·bn + k·bk + j·bn].
// Packed, a block is panels of 16 columns, [K,16], made once for all steps.
type hidden struct {
	w      []float32
	n, K   int
	bk, bn int
	packed *[]float32 // borrowed panels, nil: not packed
}

// border is where chunk i of the columns begins: a multiple of what products
// of few rows take at once, so that borders change no sum.
func (m *hidden) border(i, chunks int) int {
	if m.packed != nil {
		return min(i*((m.n+tileN-1)/tileN)/chunks*tileN, m.n)
	}
	p := product{N: m.n}
	return p.column(i, chunks)
}

// addTo adds to columns n0 … n1-1 of rows of c, ldc apart, the products of rows
// of a, lda apart, with block g.
func (m *hidden) addTo(c []float32, ldc int, a []float32, lda, rows, g, n0, n1 int) {
	if n0 == n1 {
		return
	}
	p := product{c: c[n0:], a: a, M: rows, N: n1 - n0, K: m.K, ldc: ldc, am: lda, ak: 1, acc: true}
	addHidden(m, &p, g, n0)
}

func addHiddenGeneric(m *hidden, p *product, block, from int) {
	p.b, p.bk, p.bn = m.w[(block*m.n+from)*m.bn:], m.bk, m.bn
	multiplyFew(p, 0, 1, 1)
}

// packHiddenGeneric leaves the matrix as it is.
func packHiddenGeneric(m *hidden, blocks, rows, steps int) {}

// hiddenGrad is dw[N,H] += Σ z[t]ᵀ·h[t-1] over z [B,T,N] and h [B,T,H], h0 [B,H]
// being h[-1], nil: zeros.
func hiddenGrad(dw, z, h, h0 []float32, B, T, N, H int) {
	owner, first := borrow(B * N)
	for b := range B {
		row := z[b*T*N : (b*T+1)*N]
		copy(first[b*N:(b+1)*N], row)
		clear(row)
	}
	if h0 != nil {
		MatMulTN(dw, first, h0, N, H, B, true)
	}
	// One product over all texts: where one ends, the next one's first z is 0.
	MatMulTN(dw, z[N:], h[:(B*T-1)*H], N, H, B*T-1, true)
	for b := range B {
		copy(z[b*T*N:], first[b*N:(b+1)*N])
	}
	floatBuffers.Put(owner)
}

// before returns the rows of h [B,T,H] or h0 [B,H], from b on, at the time
// before t, and how far they are apart. Nil stands for zeros.
func before(h, h0 []float32, b, t, T, H int) (rows []float32, apart int) {
	switch {
	case t > 0:
		return h[(b*T+t-1)*H:], T * H
	case h0 != nil:
		return h0[b*H:], H
	}
	return nil, 0
}

// orZeros is x, or n zeros where it is nil, and their owner.
func orZeros(x []float32, n int) (owner *[]float32, _ []float32) {
	if x == nil {
		owner, x = borrow(n)
		clear(x)
	}
	return owner, x
}

func giveBack(owners ...*[]float32) {
	for _, o := range owners {
		if o != nil {
			floatBuffers.Put(o)
		}
	}
}

// keepLast copies the last states of h [B,T,H] to h0 [B,H], where there is one.
func keepLast(h0, h []float32, B, T, H int) {
	for b := 0; h0 != nil && b < B; b++ {
		copy(h0[b*H:(b+1)*H], h[((b+1)*T-1)*H:])
	}
}

// storedSteps gives finish the products y [B,N] of w and the states before, at
// every t in turn; finish leaves h[t] in h [B,T,H].
func storedSteps(h, h0 []float32, w *Matrix, B, T, H int, finish func(t int, y []float32)) {
	owner, y := borrow(B * (w.N + H))
	y, last := y[:B*w.N], y[B*w.N:]
	clear(y)
	for t := range T {
		if a, apart := before(h, h0, 0, t, T, H); a != nil {
			for b := range B {
				copy(last[b*H:(b+1)*H], a[b*apart:])
			}
			MulMat(y, last, w, B)
		}
		finish(t, y)
	}
	floatBuffers.Put(owner)
}
