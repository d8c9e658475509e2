package kernels

// LSTM runs a long short-term memory over T steps of H units:
//
//	i, f, g, o = x[t] + W·h[t-1];  i, f, g, o = σ(i), σ(f), tanh(g), σ(o)
//	c[t] = f⊙c[t-1] + i⊙g;  h[t] = o⊙tanh(c[t])
//
// z [B,T,4H] holds x and is overwritten by the four gates; h, c are [B,T,H]; w
// is [4H,H]. h0, c0 [B,H] are h[-1] and c[-1] and receive the last; nil starts
// from zeros and keeps nothing.
// Source: Hochreiter and Schmidhuber 1997, Gers et al. 2000; torch.nn.LSTM with
// x = W_ih·input + b_ih + b_hh.
func LSTM(h, c, z, w, h0, c0 []float32, B, T, H int) {
	needLSTM("LSTM", h, c, z, h0, c0, B, T, H)
	need("LSTM", "w", w, 4*H*H)
	if B*T*H == 0 {
		return
	}
	m := hidden{w: w, n: H, K: H, bk: 1, bn: H}.prepare(4, B, T)
	owner, first := orZeros(c0, B*H)
	lstms.run(lstm{h, c, z, h0, first, m, T}, B, T, 4*H*H, false)
	giveBack(owner, m.owner)
	keepLast(h0, h, B, T, H)
	keepLast(c0, c, B, T, H)
}

// LSTMStored is LSTM with a stored matrix, for inference.
func LSTMStored(h, c, z []float32, w *Matrix, h0, c0 []float32, B, T, H int) {
	needLSTM("LSTMStored", h, c, z, h0, c0, B, T, H)
	if B*T*H == 0 {
		return
	}
	owner, first := orZeros(c0, B*H)
	m := lstm{h, c, z, h0, first, hidden{n: H}, T}
	storedSteps(h, h0, w, B, T, H, func(t int, y []float32) {
		for b := range B {
			accumulate(z[(b*T+t)*4*H:(b*T+t+1)*4*H], y[b*4*H:(b+1)*4*H])
		}
		m.gates(t, 0, B, 0, H)
	})
	giveBack(owner)
	keepLast(h0, h, B, T, H)
	keepLast(c0, c, B, T, H)
}

// LSTMGrad overwrites dx [B,T,4H] with the gradient to x and adds that to w to
// dw [4H,H] (may be nil), given dh and LSTM's h, c and gates z. h0, c0 [B,H]
// are the state before the call (nil: zeros); no gradient flows into it.
// Backwards from e = dc = 0, at each t:
//
//	e += dh[t];  do = e⊙tanh(c[t]);  dc += e⊙o⊙(1 - tanh²(c[t]))
//	di = dc⊙g;  df = dc⊙c[t-1];  dg = dc⊙i;  dc = dc⊙f
//	dx[t] = di⊙i⊙(1-i), df⊙f⊙(1-f), dg⊙(1-g²), do⊙o⊙(1-o)
//	dw += dx[t]ᵀ·h[t-1];  e = Wᵀ·dx[t]
func LSTMGrad(dx, dw, dh, h, c, z, w, h0, c0 []float32, B, T, H int) {
	needLSTM("LSTMGrad", h, c, z, h0, c0, B, T, H)
	need("LSTMGrad", "w", w, 4*H*H)
	need("LSTMGrad", "dx", dx, 4*B*T*H)
	need("LSTMGrad", "dh", dh, B*T*H)
	needOrNil("LSTMGrad", "dw", dw, 4*H*H)
	if B*T*H == 0 {
		return
	}
	m := hidden{w: w, n: H, K: 4 * H, bk: H, bn: 1}.prepare(1, B, T)
	zeros, first := orZeros(c0, B*H)
	owner, e := borrow(B * H)
	carry, dc := orZeros(nil, B*H)
	lstmGrads.run(lstmGrad{dx, dh, c, z, first, e, dc, m, T}, B, T, 4*H*H, true)
	giveBack(zeros, owner, carry, m.owner)
	if dw != nil {
		hiddenGrad(dw, dx, h, h0, B, T, 4*H, H)
	}
}

// lstm is LSTM's arguments; c0 is not nil.
type lstm struct {
	h, c, z, h0, c0 []float32
	w               hidden
	T               int
}

var lstms recurrence[lstm, *lstm]

func (m *lstm) step(t, b0, b1, lo, hi, chunks int) {
	H := m.w.n
	n0, n1 := m.w.border(lo, chunks), m.w.border(hi, chunks)
	if a, apart := before(m.h, m.h0, b0, t, m.T, H); a != nil {
		for g := range 4 {
			m.w.addTo(m.z[((b0*m.T+t)*4+g)*H:], m.T*4*H, a, apart, b1-b0, g, n0, n1)
		}
	}
	m.gates(t, b0, b1, n0, n1)
}

// gates finishes units n0 … n1-1 of rows b0 … b1-1.
func (m *lstm) gates(t, b0, b1, n0, n1 int) {
	H := m.w.n
	for b := b0; b < b1; b++ {
		at := (b*m.T + t) * H
		c0, _ := before(m.c, m.c0, b, t, m.T, H)
		lstmCell(m.h[at+n0:at+n1], m.c[at+n0:at+n1], c0[n0:n1], m.z[4*at+n0:4*(at+H)], H)
	}
}

// lstmGrad is LSTMGrad's arguments; c0 is not nil, and e, dc [B,H] come from
// the time after.
type lstmGrad struct {
	dx, dh, c, z, c0, e, dc []float32
	w                       hidden
	T                       int
}

var lstmGrads recurrence[lstmGrad, *lstmGrad]

func (m *lstmGrad) step(t, b0, b1, lo, hi, chunks int) {
	H := m.w.n
	n0, n1 := m.w.border(lo, chunks), m.w.border(hi, chunks)
	for b := b0; b < b1; b++ {
		copy(m.e[b*H+n0:b*H+n1], m.dh[(b*m.T+t)*H+n0:])
	}
	if t+1 < m.T {
		m.w.addTo(m.e[b0*H:], H, m.dx[(b0*m.T+t+1)*4*H:], m.T*4*H, b1-b0, 0, n0, n1)
	}
	for b := b0; b < b1; b++ {
		at, from, to := (b*m.T+t)*H, b*H+n0, b*H+n1
		c0, _ := before(m.c, m.c0, b, t, m.T, H)
		lstmCellGrad(m.dx[4*at+n0:4*(at+H)], m.dc[from:to], m.e[from:to], m.c[at+n0:at+n1], c0[n0:n1], m.z[4*at+n0:4*(at+H)], H)
	}
}

func needLSTM(op string, h, c, z, h0, c0 []float32, B, T, H int) {
	needDims(op, B, T, H)
	need(op, "h", h, B*T*H)
	need(op, "c", c, B*T*H)
	need(op, "z", z, 4*B*T*H)
	needOrNil(op, "h0", h0, B*H)
	needOrNil(op, "c0", c0, B*H)
}
