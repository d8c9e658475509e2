package kernels

// LSTMCells are the inputs, gates and outputs of an LSTM over T steps.
type LSTMCells struct {
	H, C   []float32 // [B,T,H]: output and cell of every step
	Z      []float32 // [B,T,4H]: x on entry, the gates i, f, g, o on return
	H0, C0 []float32 // [B,H]: h and c of the step before the first; nil: zeros
}

// LSTM runs a long short-term memory over T steps of H units:
//
//	i, f, g, o = x[t] + W·h[t-1];  i, f, g, o = σ(i), σ(f), tanh(g), σ(o)
//	c[t] = f⊙c[t-1] + i⊙g;  h[t] = o⊙tanh(c[t])
//
// w is [4H,H]. H0 and C0 that are not nil receive the last h and c.
// Source: Hochreiter and Schmidhuber 1997, Gers et al. 2000; torch.nn.LSTM with
// x = W_ih·input + b_ih + b_hh.
func LSTM(c LSTMCells, w []float32, B, T, H int) {
	c.need("LSTM", B, T, H)
	need("LSTM", "w", w, 4*H*H)
	if B*T*H == 0 {
		return
	}
	m := hidden{w: w, n: H, K: H, bk: 1, bn: H}
	packHidden(&m, 4, B, T)
	owner, first := orZeros(c.C0, B*H)
	lstms.run(lstm{c.H, c.C, c.Z, c.H0, first, m, T}, B, T, 4*H*H, false)
	giveBack(owner, m.packed)
	keepLast(c.H0, c.H, B, T, H)
	keepLast(c.C0, c.C, B, T, H)
}

// LSTMStored is LSTM with a matrix of any storage type, for inference.
func LSTMStored(c LSTMCells, w *Matrix, B, T, H int) {
	c.need("LSTMStored", B, T, H)
	if B*T*H == 0 {
		return
	}
	owner, first := orZeros(c.C0, B*H)
	m := lstm{c.H, c.C, c.Z, c.H0, first, hidden{n: H}, T}
	storedSteps(c.H, c.H0, w, B, T, H, func(t int, y []float32) {
		for b := range B {
			accumulate(c.Z[(b*T+t)*4*H:(b*T+t+1)*4*H], y[b*4*H:(b+1)*4*H])
		}
		m.gates(t, 0, B, 0, H)
	})
	giveBack(owner)
	keepLast(c.H0, c.H, B, T, H)
	keepLast(c.C0, c.C, B, T, H)
}

// LSTMGrad overwrites dx [B,T,4H] with the gradient to x and adds the gradient
// to w to dw [4H,H] (may be nil), given dh and the c that LSTM filled, with the
// state before that call in H0 and C0. Backwards in time from e = dc = 0, at
// each t:
//
//	e += dh[t];  do = e⊙tanh(c[t]);  dc += e⊙o⊙(1 - tanh²(c[t]))
//	di = dc⊙g;  df = dc⊙c[t-1];  dg = dc⊙i;  dc = dc⊙f
//	dx[t] = di⊙i⊙(1-i), df⊙f⊙(1-f), dg⊙(1-g²), do⊙o⊙(1-o)
//	dw += dx[t]ᵀ·h[t-1];  e = Wᵀ·dx[t]
func LSTMGrad(dx, dw, dh []float32, c LSTMCells, w []float32, B, T, H int) {
	c.need("LSTMGrad", B, T, H)
	need("LSTMGrad", "w", w, 4*H*H)
	need("LSTMGrad", "dx", dx, 4*B*T*H)
	need("LSTMGrad", "dh", dh, B*T*H)
	needOrNil("LSTMGrad", "dw", dw, 4*H*H)
	if B*T*H == 0 {
		return
	}
	m := hidden{w: w, n: H, K: 4 * H, bk: H, bn: 1}
	packHidden(&m, 1, B, T)
	zeros, first := orZeros(c.C0, B*H)
	owner, e := borrow(B * H)
	carry, dc := orZeros(nil, B*H)
	lstmGrads.run(lstmGrad{dx, dh, c.C, c.Z, first, e, dc, m, T}, B, T, 4*H*H, true)
	giveBack(zeros, owner, carry, m.packed)
	if dw != nil {
		hiddenGrad(dw, dx, c.H, c.H0, B, T, 4*H, H)
	}
}

// lstm holds the arguments of LSTM; c0 is not nil.
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

// gates computes gates, c and h of units n0 … n1-1 of rows b0 … b1-1 from their
// sums.
func (m *lstm) gates(t, b0, b1, n0, n1 int) {
	H := m.w.n
	for b := b0; b < b1; b++ {
		at := (b*m.T + t) * H
		c0, _ := before(m.c, m.c0, b, t, m.T, H)
		lstmCell(m.h[at+n0:at+n1], m.c[at+n0:at+n1], c0[n0:n1], m.z[4*at+n0:4*(at+H)], H)
	}
}

// lstmGrad holds the arguments of LSTMGrad; c0 is not nil, and e, dc [B,H] come
// from step t+1.
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

func (c *LSTMCells) need(op string, B, T, H int) {
	needDims(op, B, T, H)
	need(op, "h", c.H, B*T*H)
	need(op, "c", c.C, B*T*H)
	need(op, "z", c.Z, 4*B*T*H)
	needOrNil(op, "h0", c.H0, B*H)
	needOrNil(op, "c0", c.C0, B*H)
}
