package kernels

import "sync"

// WKV4Start is the p of a fresh state, with a = b = 0. Any huge negative number
// works; this is the one of the official inference code.
const WKV4Start = -1e30

// WKV4Inputs are the inputs of WKV4, or their gradients.
type WKV4Inputs struct {
	W, U []float32 // [C]: log-decay of a step, w ≤ 0, and bonus of the present token
	K, V []float32 // [B,T,C]: key and value
}

// WKV4State is the memory of B sequences, [B,C] each: the true state is
// (a·eᵖ, b·eᵖ); p keeps the exponentials in range. A fresh one is a = b = 0,
// p = WKV4Start.
type WKV4State struct{ A, B, P []float32 }

// WKV4 runs the RWKV-4 recurrence over T steps of C channels in B sequences,
// leaving y [B,T,C] and updating the state. Per channel:
//
//	q  = max(p, u+k);  y  = (e^(p-q)·a + e^(u+k-q)·v) / (e^(p-q)·b + e^(u+k-q))
//	p' = max(w+p, k);  a' = e^(w+p-p')·a + e^(k-p')·v;  b' = e^(w+p-p')·b + e^(k-p')
//
// Source: BlinkDL/RWKV-LM RWKV-v4neo/cuda/wkv_cuda.cu.
func WKV4(y []float32, s WKV4State, in WKV4Inputs, B, T, C int) {
	needDims("WKV4", B, T, C)
	in.need("WKV4", B, T, C, need)
	need("WKV4", "y", y, B*T*C)
	need("WKV4", "a", s.A, B*C)
	need("WKV4", "b", s.B, B*C)
	need("WKV4", "p", s.P, B*C)
	if T == 0 {
		return
	}
	blocks := (C + wkvBlock - 1) / wkvBlock
	wkv4Jobs.run(B*blocks, wkvGrain(T), wkv4Job{y, s, in, T, C, blocks})
}

// WKV4Grad adds the gradients of WKV4 to d, given dy, the gradient of y; any
// field of d may be nil. s0 is the state before the call (the zero value:
// fresh).
//
// With the true sums A, B of the state, E = e^(u+k), D = dy/(B+E), and A_w, B_w
// the derivatives of A, B by w: forwards in time
//
//	dw += (A_w - B_w·y)·D;  du += (v-y)·E·D;  A_w' = e^w·(A + A_w);  B_w' = e^w·(B + B_w)
//
// and backwards, from P = Q = 0,
//
//	dv += E·D + e^k·P;  dk += E·D·(v-y) + e^k·(P·v + Q);  P' = e^w·P + D;  Q' = e^w·Q - D·y
//
// A, B, A_w, B_w share the exponent p of WKV4; P and Q have an exponent of
// their own.
func WKV4Grad(d WKV4Inputs, dy []float32, s0 WKV4State, in WKV4Inputs, B, T, C int) {
	needDims("WKV4Grad", B, T, C)
	d.need("WKV4Grad: gradient", B, T, C, needOrNil)
	in.need("WKV4Grad", B, T, C, need)
	need("WKV4Grad", "dy", dy, B*T*C)
	needOrNil("WKV4Grad", "a0", s0.A, B*C)
	needOrNil("WKV4Grad", "b0", s0.B, B*C)
	needOrNil("WKV4Grad", "p0", s0.P, B*C)
	if (s0.A == nil) != (s0.B == nil) || (s0.A == nil) != (s0.P == nil) {
		panic("kernels: WKV4Grad: a, b and p of a state are given together or not at all")
	}
	if B*T == 0 {
		return
	}
	blocks := (C + wkvBlock - 1) / wkvBlock
	wkv4GradJobs.run(blocks, wkvGrain(4*B*T), wkv4GradJob{d, dy, s0, in, B, T, C})
}

func (in *WKV4Inputs) need(op string, B, T, C int, need func(op, name string, x []float32, n int)) {
	need(op, "w", in.W, C)
	need(op, "u", in.U, C)
	need(op, "k", in.K, B*T*C)
	need(op, "v", in.V, B*T*C)
}

// wkvBlock is the number of channels of a block: a cache line of a row.
const wkvBlock = 16

// wkvGrain returns the number of blocks in a chunk. A step of a channel takes
// about a nanosecond, its gradient three more.
func wkvGrain(T int) int { return max(1, blockFloats/(T*wkvBlock)) }

type wkv4Job struct {
	y            []float32
	s            WKV4State
	in           WKV4Inputs
	T, C, blocks int
}

var wkv4Jobs jobs[wkv4Job, *wkv4Job]

func (j *wkv4Job) span(lo, hi int) {
	for i := lo; i < hi; i++ {
		batch, c0 := i/j.blocks, i%j.blocks*wkvBlock
		c1 := min(c0+wkvBlock, j.C)
		row, s0, s1 := batch*j.T*j.C+c0, batch*j.C+c0, batch*j.C+c1
		wkv4(j.y[row:], j.s.A[s0:s1], j.s.B[s0:s1], j.s.P[s0:s1], j.in.W[c0:c1], j.in.U[c0:c1], j.in.K[row:], j.in.V[row:], j.T, j.C)
	}
}

type wkv4GradJob struct {
	d       WKV4Inputs
	dy      []float32
	s0      WKV4State
	in      WKV4Inputs
	B, T, C int
}

var wkv4GradJobs jobs[wkv4GradJob, *wkv4GradJob]

// wkvTape is the scratch of a block of channels in the gradient: the state (a,
// b, p) and sums of a call, a scratch row for nil gradients, and (y, E·D,
// D·e^m, m) of each step.
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

// block computes channels c0 … c1-1 of every sequence.
func (j *wkv4GradJob) block(tape *wkvTape, c0, c1 int) {
	n := c1 - c0
	tape.dw, tape.du = [wkvBlock]float32{}, [wkvBlock]float32{}
	for batch := range j.B {
		for c := range n {
			tape.a[c], tape.b[c], tape.p[c] = 0, 0, WKV4Start
		}
		if s := batch*j.C + c0; j.s0.A != nil {
			copy(tape.a[:n], j.s0.A[s:s+n])
			copy(tape.b[:n], j.s0.B[s:s+n])
			copy(tape.p[:n], j.s0.P[s:s+n])
		}
		row := batch*j.T*j.C + c0
		wkv4GradForward(tape, j.dy[row:], j.in.W[c0:c1], j.in.U[c0:c1], j.in.K[row:], j.in.V[row:], j.T, j.C)
		if j.d.K == nil && j.d.V == nil {
			continue
		}
		dk, dv, strideK, strideV := tape.sink[:], tape.sink[:], 0, 0
		if j.d.K != nil {
			dk, strideK = j.d.K[row:], j.C
		}
		if j.d.V != nil {
			dv, strideV = j.d.V[row:], j.C
		}
		wkv4GradReverse(dk, dv, strideK, strideV, tape, j.in.W[c0:c1], j.in.K[row:], j.in.V[row:], j.T, j.C)
	}
	if j.d.W != nil {
		accumulateGeneric(j.d.W[c0:c1], tape.dw[:n])
	}
	if j.d.U != nil {
		accumulateGeneric(j.d.U[c0:c1], tape.du[:n])
	}
}
