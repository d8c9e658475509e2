package kernels

import "sync"

// WKV4Start is p in the state of a sequence that has seen nothing; a = b = 0.
// Any huge negative number works; this is the official inference code's.
const WKV4Start = -1e30

// WKV4 runs the RWKV-4 recurrence over T steps of C channels in B sequences,
// updating the state a, b, p. The true state is (a·eᵖ, b·eᵖ); p keeps the
// exponentials in range. Per channel:
//
//	q  = max(p, u+k);  y  = (e^(p-q)·a + e^(u+k-q)·v) / (e^(p-q)·b + e^(u+k-q))
//	p' = max(w+p, k);  a' = e^(w+p-p')·a + e^(k-p')·v;  b' = e^(w+p-p')·b + e^(k-p')
//
// k, v, y are [B,T,C]; w, u are [C]; a, b, p are [B,C]. w ≤ 0 is the log-decay
// of a step. A fresh state is a = b = 0, p = WKV4Start.
// Source: BlinkDL/RWKV-LM RWKV-v4neo/cuda/wkv_cuda.cu.
func WKV4(y, a, b, p, w, u, k, v []float32, B, T, C int) {
	needDims("WKV4", B, T, C)
	for _, x := range [...]struct {
		name string
		x    []float32
		n    int
	}{{"y", y, B * T * C}, {"a", a, B * C}, {"b", b, B * C}, {"p", p, B * C},
		{"w", w, C}, {"u", u, C}, {"k", k, B * T * C}, {"v", v, B * T * C}} {
		need("WKV4", x.name, x.x, x.n)
	}
	if T == 0 {
		return
	}
	blocks := (C + wkvBlock - 1) / wkvBlock
	wkv4Jobs.run(B*blocks, wkvGrain(T), wkv4Job{y, a, b, p, w, u, k, v, T, C, blocks})
}

// WKV4Grad adds the gradients of WKV4 to dw, du [C] and dk, dv [B,T,C], given
// that of y. a0, b0, p0 [B,C] are the state before the call (nil: fresh); no
// gradient flows into it. Any of dw, du, dk, dv may be nil.
//
// With true sums A, B, E = e^(u+k), D = dy/(B+E) and A_w, B_w the derivatives
// of A, B by w, forwards in time
//
//	dw += (A_w - B_w·y)·D;  du += (v-y)·E·D;  A_w' = e^w·(A + A_w);  B_w' = e^w·(B + B_w)
//
// and backwards, from P = Q = 0,
//
//	dv += E·D + e^k·P;  dk += E·D·(v-y) + e^k·(P·v + Q);  P' = e^w·P + D;  Q' = e^w·Q - D·y
//
// A, B, A_w, B_w carry the exponent p of WKV4, and P, Q one of their own.
// Batches are summed in order.
func WKV4Grad(dw, du, dk, dv, dy, a0, b0, p0, w, u, k, v []float32, B, T, C int) {
	needDims("WKV4Grad", B, T, C)
	for _, x := range [...]struct {
		name     string
		x        []float32
		n        int
		optional bool
	}{{"dw", dw, C, true}, {"du", du, C, true}, {"dk", dk, B * T * C, true}, {"dv", dv, B * T * C, true},
		{"dy", dy, B * T * C, false}, {"a0", a0, B * C, true}, {"b0", b0, B * C, true}, {"p0", p0, B * C, true},
		{"w", w, C, false}, {"u", u, C, false}, {"k", k, B * T * C, false}, {"v", v, B * T * C, false}} {
		if !x.optional || x.x != nil {
			need("WKV4Grad", x.name, x.x, x.n)
		}
	}
	if (a0 == nil) != (b0 == nil) || (a0 == nil) != (p0 == nil) {
		panic("kernels: WKV4Grad: a0, b0, p0 are given together or not at all")
	}
	if B*T == 0 {
		return
	}
	blocks := (C + wkvBlock - 1) / wkvBlock
	wkv4GradJobs.run(blocks, wkvGrain(4*B*T), wkv4GradJob{dw, du, dk, dv, dy, a0, b0, p0, w, u, k, v, B, T, C})
}

// wkvBlock is the channels of one call: a cache line of a row.
const wkvBlock = 16

// wkvGrain returns how many blocks make one chunk; a channel-step costs about
// a nanosecond, and three more with its gradient.
func wkvGrain(T int) int { return max(1, blockFloats/(T*wkvBlock)) }

type wkv4Job struct {
	y, a, b, p, w, u, k, v []float32
	T, C, blocks           int
}

var wkv4Jobs jobs[wkv4Job, *wkv4Job]

func (j *wkv4Job) span(lo, hi int) {
	for i := lo; i < hi; i++ {
		batch, c0 := i/j.blocks, i%j.blocks*wkvBlock
		c1 := min(c0+wkvBlock, j.C)
		row, s0, s1 := batch*j.T*j.C+c0, batch*j.C+c0, batch*j.C+c1
		wkv4(j.y[row:], j.a[s0:s1], j.b[s0:s1], j.p[s0:s1], j.w[c0:c1], j.u[c0:c1], j.k[row:], j.v[row:], j.T, j.C)
	}
}

type wkv4GradJob struct {
	dw, du, dk, dv, dy, a0, b0, p0, w, u, k, v []float32
	B, T, C                                    int
}

var wkv4GradJobs jobs[wkv4GradJob, *wkv4GradJob]

// wkvTape is what one block of channels keeps between the two passes: the
// state (a, b, p) and sums of a call, a row for gradients nobody wants, and
// (y, E·D, D·e^m, m) of each step.
type wkvTape struct {
	a, b, p, dw, du, sink [wkvBlock]float32
	steps                 []float32
}

var wkvTapes = sync.Pool{New: func() any { return new(wkvTape) }}

func (j *wkv4GradJob) span(lo, hi int) {
	tape := wkvTapes.Get().(*wkvTape)
	if n := 4 * j.T * wkvBlock; cap(tape.steps) < n {
		tape.steps = make([]float32, n)
	}
	for i := lo; i < hi; i++ {
		c0 := i * wkvBlock
		j.block(tape, c0, min(c0+wkvBlock, j.C))
	}
	wkvTapes.Put(tape)
}

// block does channels c0 … c1-1 of every sequence.
func (j *wkv4GradJob) block(tape *wkvTape, c0, c1 int) {
	n := c1 - c0
	tape.dw, tape.du = [wkvBlock]float32{}, [wkvBlock]float32{}
	for batch := range j.B {
		for c := range n {
			tape.a[c], tape.b[c], tape.p[c] = 0, 0, WKV4Start
		}
		if s := batch*j.C + c0; j.a0 != nil {
			copy(tape.a[:n], j.a0[s:s+n])
			copy(tape.b[:n], j.b0[s:s+n])
			copy(tape.p[:n], j.p0[s:s+n])
		}
		row := batch*j.T*j.C + c0
		wkv4GradForward(tape, j.dy[row:], j.w[c0:c1], j.u[c0:c1], j.k[row:], j.v[row:], j.T, j.C)
		if j.dk == nil && j.dv == nil {
			continue
		}
		dk, dv, strideK, strideV := tape.sink[:], tape.sink[:], 0, 0
		if j.dk != nil {
			dk, strideK = j.dk[row:], j.C
		}
		if j.dv != nil {
			dv, strideV = j.dv[row:], j.C
		}
		wkv4GradReverse(dk, dv, strideK, strideV, tape, j.w[c0:c1], j.k[row:], j.v[row:], j.T, j.C)
	}
	if j.dw != nil {
		accumulateGeneric(j.dw[c0:c1], tape.dw[:n])
	}
	if j.du != nil {
		accumulateGeneric(j.du[c0:c1], tape.du[:n])
	}
}
