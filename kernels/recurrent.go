package kernels

// A network is a recurrent network's arguments: step computes chunks lo … hi-1
// of the units of rows b0 … b1-1 at time t, reading what other chunks wrote in
// the step before.
type network interface {
	step(t, b0, b1, lo, hi, chunks int)
}

// recurrence runs a network N over T steps, backwards in time for gradients.
type recurrence[N any, P interface {
	*N
	network
}] struct {
	sequences jobs[sequencesOf[N, P], *sequencesOf[N, P]]
	steps     jobs[stepOf[N, P], *stepOf[N, P]]
}

const (
	// sequenceRows is the least number of sequences that a thread runs through
	// all steps.
	sequenceRows = 4
	// residentFloats is the largest matrix that stays in the L2 cache of a core
	// during all steps, 512 KiB.
	residentFloats = 128 << 10
)

// run gives every thread sequences of its own for all steps, where there are
// enough and each core can keep all weights in its cache. Else threads share
// the units of every step, each keeping its part of the weights. Both give the
// same numbers.
func (r *recurrence[N, P]) run(net N, B, T, weights int, back bool) {
	groups, threads := (B+sequenceRows-1)/sequenceRows, Threads()
	switch {
	case threads == 1 || B*weights <= 1<<14:
		r.sequences.run(1, 1, sequencesOf[N, P]{net: net, B: B, rows: B, T: T, back: back})
	case groups >= threads && weights <= residentFloats:
		r.sequences.run(groups, 1, sequencesOf[N, P]{net: net, B: B, rows: sequenceRows, T: T, back: back})
	default:
		for i := range T {
			r.steps.run(threads, 1, stepOf[N, P]{net: net, B: B, t: inTime(i, T, back), chunks: threads})
		}
	}
}

// inTime returns the time of the i-th of T steps.
func inTime(i, T int, back bool) int {
	if back {
		return T - 1 - i
	}
	return i
}

// sequencesOf runs groups of sequences through all steps.
type sequencesOf[N any, P interface {
	*N
	network
}] struct {
	net        N
	B, rows, T int
	back       bool
}

func (w *sequencesOf[N, P]) span(lo, hi int) {
	for ; lo < hi; lo++ {
		for i := range w.T {
			P(&w.net).step(inTime(i, w.T, w.back), lo*w.rows, min((lo+1)*w.rows, w.B), 0, 1, 1)
		}
	}
}

// stepOf computes chunks of the units of one step.
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

// hidden is the recurrent weight matrix as steps multiply by it: blocks of n
// columns over K weights each, element (k,j) of block g at w[g·n·bn + k·bk +
// j·bn]. A packed block is panels of 16 columns, [K,16], made once for all
// steps.
type hidden struct {
	w      []float32
	n, K   int
	bk, bn int
	packed *[]float32 // borrowed scratch of panels, nil: not packed
}

// border returns where chunk i of the columns begins: a multiple of the columns
// that one product computes at once, so that borders change no sum.
func (m *hidden) border(i, chunks int) int {
	if m.packed != nil {
		return min(i*((m.n+tileN-1)/tileN)/chunks*tileN, m.n)
	}
	p := product{N: m.n}
	return p.column(i, chunks)
}

// addTo adds a·(block g) to columns n0 … n1-1 of c, for rows of a that lie lda
// floats apart and rows of c that lie ldc floats apart.
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

// packHiddenGeneric does not pack.
func packHiddenGeneric(m *hidden, blocks, rows, steps int) {}

// hiddenGrad is dw[N,H] += Σ z[t]ᵀ·h[t-1] over z [B,T,N] and h [B,T,H], where
// h[-1] is h0 [B,H] (nil: zeros).
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
	// One product over all sequences: the first z of each is 0 meanwhile, so that
	// it does not meet the last h of the sequence before.
	MatMulTN(dw, z[N:], h[:(B*T-1)*H], N, H, B*T-1, true)
	for b := range B {
		copy(z[b*T*N:], first[b*N:(b+1)*N])
	}
	floatBuffers.Put(owner)
}

// before returns the states of step t-1 from row b on, in h [B,T,H] or h0
// [B,H], and the distance between rows. Nil stands for zeros.
func before(h, h0 []float32, b, t, T, H int) (rows []float32, apart int) {
	switch {
	case t > 0:
		return h[(b*T+t-1)*H:], T * H
	case h0 != nil:
		return h0[b*H:], H
	}
	return nil, 0
}

// orZeros returns x or, where x is nil, n zeros and their owner.
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

// keepLast copies the last states of h [B,T,H] to h0 [B,H], where h0 is not
// nil.
func keepLast(h0, h []float32, B, T, H int) {
	for b := 0; h0 != nil && b < B; b++ {
		copy(h0[b*H:(b+1)*H], h[((b+1)*T-1)*H:])
	}
}

// storedSteps calls finish for every step t with y [B,N] = h[t-1]·wᵀ; finish
// sets h[t] in h [B,T,H].
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
