package kernels

// Elman runs a simple recurrent network over T steps of H units:
//
//	h[b,t] = tanh(x[b,t] + W·h[b,t-1])
//
// x, h are [B,T,H]; w is [H,H], row i the weights of unit i. h0 [B,H] is
// h[b,-1] and receives the last h; nil starts from zeros and keeps nothing.
// Source: torch.nn.RNN with x = W_ih·input + b_ih + b_hh.
func Elman(h, x, w, h0 []float32, B, T, H int) {
	needElman("Elman", h, x, w, h0, B, T, H)
	if B*T*H == 0 {
		return
	}
	elman{h: h, in: x, w: w, h0: h0, B: B, T: T, H: H}.run()
	for b := 0; h0 != nil && b < B; b++ {
		copy(h0[b*H:(b+1)*H], h[((b+1)*T-1)*H:])
	}
}

// ElmanGrad adds the gradients of Elman to dx [B,T,H] and dw [H,H] (may be
// nil), given dh and Elman's output h [B,T,H]. h0 [B,H] is the state before
// the call (nil: zeros); no gradient flows into it. Backwards from g = 0:
//
//	z = (dh[t] + g)·(1 - h[t]²);  dx[t] += z;  dw += zᵀ·h[t-1];  g = Wᵀ·z
func ElmanGrad(dx, dw, dh, h, w, h0 []float32, B, T, H int) {
	needElman("ElmanGrad", h, dh, w, h0, B, T, H)
	need("ElmanGrad", "dx", dx, B*T*H)
	needOrNil("ElmanGrad", "dw", dw, H*H)
	if B*T*H == 0 {
		return
	}
	owner, scratch := borrow(B*T*H + H*H)
	z, transposed := scratch[:B*T*H], scratch[B*T*H:]
	for i := range H {
		for j, v := range w[i*H : (i+1)*H] {
			transposed[j*H+i] = v
		}
	}
	elman{h: z, in: dh, out: h, w: transposed, B: B, T: T, H: H}.run()
	Accumulate(dx, z)
	if dw != nil {
		elmanWeights(dw, z, h, h0, B, T, H)
	}
	floatBuffers.Put(owner)
}

// elman is the recurrence h[t] = tanh(in[t] + W·h[t-1]) or, where out is given,
// its mirror image z[t] = (in[t] + W·z[t+1])·(1 - out[t]²), z being h.
type elman struct {
	h, in, out []float32 // [B,T,H]
	w          []float32 // [H,H]
	h0         []float32 // [B,H] or nil
	B, T, H    int
	t, chunks  int // of a step that threads share
}

const (
	// elmanRows is the rows that a thread takes through all steps: as many as
	// dot products take at once.
	elmanRows = 4
	// residentFloats is a matrix that stays in a core's second-level cache
	// while other rows pass by, 512 KiB.
	residentFloats = 128 << 10
)

var (
	elmanTexts jobs[elmanText, *elmanText]
	elmanSteps jobs[elmanStep, *elmanStep]
)

// run lets every thread take rows of its own through all steps where there are
// enough and each can keep all of W. Else threads share every step's columns,
// each keeping its part of W. Both give the same numbers.
func (e elman) run() {
	groups, threads := (e.B+elmanRows-1)/elmanRows, Threads()
	if threads == 1 || groups >= threads && e.H*e.H <= residentFloats || e.B*e.H*e.H <= 1<<14 {
		elmanTexts.run(groups, 1, elmanText{e})
		return
	}
	e.chunks = threads
	for i := range e.T {
		if e.t = i; e.out != nil {
			e.t = e.T - 1 - i
		}
		elmanSteps.run(e.chunks, 1, elmanStep{e})
	}
}

// elmanText takes groups of rows through all steps.
type elmanText struct{ elman }

func (shared *elmanText) span(lo, hi int) {
	e := shared.elman // t is this thread's own
	e.chunks = 1
	for ; lo < hi; lo++ {
		b0, b1 := lo*elmanRows, min((lo+1)*elmanRows, e.B)
		for i := range e.T {
			if e.t = i; e.out != nil {
				e.t = e.T - 1 - i
			}
			e.step(b0, b1, 0, 1)
		}
	}
}

// elmanStep does chunks of one step's columns.
type elmanStep struct{ elman }

func (e *elmanStep) span(lo, hi int) { e.step(0, e.B, lo, hi) }

// step computes chunks lo … hi-1 of the columns of step t for rows b0 … b1-1.
func (e *elman) step(b0, b1, lo, hi int) {
	row := e.T * e.H
	p := product{c: e.h[b0*row+e.t*e.H:], b: e.w, M: b1 - b0, N: e.H, K: e.H, ldc: row, am: row, ak: 1, bk: 1, bn: e.H}
	switch before := e.t - 1; {
	case e.out != nil && e.t+1 < e.T:
		p.a = e.h[b0*row+(e.t+1)*e.H:]
	case e.out == nil && before >= 0:
		p.a = e.h[b0*row+before*e.H:]
	case e.h0 != nil:
		p.a, p.am = e.h0[b0*e.H:], e.H
	}
	n0, n1 := p.column(lo, e.chunks), p.column(hi, e.chunks)
	if p.a != nil {
		p.few(lo, hi, e.chunks)
	}
	for at := n0 + b0*row + e.t*e.H; b0 < b1; b0++ {
		h, in := e.h[at:at+n1-n0], e.in[at:at+n1-n0]
		if p.a == nil {
			copy(h, in)
		} else {
			accumulate(h, in)
		}
		if e.out == nil {
			tanh(h, h)
		} else {
			tanhSlope(h, e.out[at:at+n1-n0])
		}
		at += row
	}
}

// elmanWeights is dw += Σ z[t]ᵀ·h[t-1]. It clears z[b,0], the first steps.
func elmanWeights(dw, z, h, h0 []float32, B, T, H int) {
	owner, first := borrow(B * H)
	for b := range B {
		copy(first[b*H:(b+1)*H], z[b*T*H:])
		clear(z[b*T*H : (b*T+1)*H])
	}
	if h0 != nil {
		MatMulTN(dw, first, h0, H, H, B, true)
	}
	// One product over all texts: where one ends, the next one's first z is 0.
	MatMulTN(dw, z[H:], h[:(B*T-1)*H], H, H, B*T-1, true)
	floatBuffers.Put(owner)
}

func needElman(op string, h, x, w, h0 []float32, B, T, H int) {
	needDims(op, B, T, H)
	need(op, "h", h, B*T*H)
	need(op, "x or dh", x, B*T*H)
	need(op, "w", w, H*H)
	needOrNil(op, "h0", h0, B*H)
}
