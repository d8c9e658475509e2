package kernels

// Elman runs a simple recurrent network over T steps of H units:
//
//	h[b,t] = tanh(x[b,t] + W·h[b,t-1])
//
// x, h are [B,T,H]; w is [H,H], row i the weights of unit i. h0 [B,H] is
// h[b,-1] and receives the last h; a nil h0 stands for zeros.
// Source: torch.nn.RNN with x = W_ih·input + b_ih + b_hh.
func Elman(h, x, w, h0 []float32, B, T, H int) {
	needElman("Elman", h, x, h0, B, T, H)
	need("Elman", "w", w, H*H)
	if B*T*H == 0 {
		return
	}
	m := hidden{w: w, n: H, K: H, bk: 1, bn: H}
	packHidden(&m, 1, B, T)
	elmans.run(elman{h: h, in: x, h0: h0, w: m, T: T}, B, T, H*H, false)
	giveBack(m.packed)
	keepLast(h0, h, B, T, H)
}

// ElmanStored is Elman with a matrix of any storage type, for inference.
func ElmanStored(h, x []float32, w *Matrix, h0 []float32, B, T, H int) {
	needElman("ElmanStored", h, x, h0, B, T, H)
	if B*T*H == 0 {
		return
	}
	storedSteps(h, h0, w, B, T, H, func(t int, y []float32) {
		for b := range B {
			at := (b*T + t) * H
			sum := y[b*H : (b+1)*H]
			accumulate(sum, x[at:at+H])
			tanh(h[at:at+H], sum)
		}
	})
	keepLast(h0, h, B, T, H)
}

// ElmanGrad overwrites dx [B,T,H] with the gradient to x and adds the gradient
// to w to dw [H,H] (may be nil), given dh and the output h [B,T,H] of Elman. h0
// [B,H] is the state before the call (nil: zeros). Backwards in time from g =
// 0:
//
//	dx[t] = (dh[t] + g)·(1 - h[t]²);  dw += dx[t]ᵀ·h[t-1];  g = Wᵀ·dx[t]
func ElmanGrad(dx, dw, dh, h, w, h0 []float32, B, T, H int) {
	needElman("ElmanGrad", h, dh, h0, B, T, H)
	need("ElmanGrad", "w", w, H*H)
	need("ElmanGrad", "dx", dx, B*T*H)
	needOrNil("ElmanGrad", "dw", dw, H*H)
	if B*T*H == 0 {
		return
	}
	m := hidden{w: w, n: H, K: H, bk: H, bn: 1}
	packHidden(&m, 1, B, T)
	elmans.run(elman{h: dx, in: dh, out: h, w: m, T: T}, B, T, H*H, true)
	giveBack(m.packed)
	if dw != nil {
		hiddenGrad(dw, dx, h, h0, B, T, H, H)
	}
}

// elman is the recurrence h[t] = tanh(in[t] + W·h[t-1]) or, where out is given,
// its mirror image h[t] = (in[t] + Wᵀ·h[t+1])·(1 - out[t]²).
type elman struct {
	h, in, out []float32 // [B,T,H]
	h0         []float32 // [B,H] or nil
	w          hidden
	T          int
}

var elmans recurrence[elman, *elman]

func (e *elman) step(t, b0, b1, lo, hi, chunks int) {
	H := e.w.n
	row := e.T * H
	n0, n1 := e.w.border(lo, chunks), e.w.border(hi, chunks)
	at := b0*row + t*H
	for b := b0; b < b1; b++ {
		i := (b*e.T + t) * H
		copy(e.h[i+n0:i+n1], e.in[i+n0:])
	}
	if e.out == nil {
		if a, apart := before(e.h, e.h0, b0, t, e.T, H); a != nil {
			e.w.addTo(e.h[at:], row, a, apart, b1-b0, 0, n0, n1)
		}
	} else if t+1 < e.T {
		e.w.addTo(e.h[at:], row, e.h[at+H:], row, b1-b0, 0, n0, n1)
	}
	for ; b0 < b1; b0++ {
		if h := e.h[at+n0 : at+n1]; e.out == nil {
			tanh(h, h)
		} else {
			tanhSlope(h, e.out[at+n0:at+n1])
		}
		at += row
	}
}

func needElman(op string, h, x, h0 []float32, B, T, H int) {
	needDims(op, B, T, H)
	need(op, "h", h, B*T*H)
	need(op, "x or dh", x, B*T*H)
	needOrNil(op, "h0", h0, B*H)
}
