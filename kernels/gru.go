package kernels

// GRUCells are the inputs, gates and outputs of a GRU over T steps.
type GRUCells struct {
	H, Q []float32 // [B,T,H]: output of every step, and its q
	G    []float32 // [B,T,3H]: x on entry, the gates r, z, n on return
	Bias []float32 // [3H]: b
	H0   []float32 // [B,H]: the output of the step before the first; nil: zeros
}

// GRU runs a gated recurrent unit over T steps of H units:
//
//	yr, yz, q = W·h[t-1] + b;  r, z = σ(x[t] + y);  n = tanh(x[t] + r⊙q)
//	h[t] = n + z⊙(h[t-1] - n)
//
// w is [3H,H]. A H0 that is not nil receives the last h.
// Source: Cho et al., arXiv 1406.1078; torch.nn.GRU, whose reset gate follows
// the product, with x = W_ih·input + b_ih.
func GRU(c GRUCells, w []float32, B, T, H int) {
	c.need("GRU", B, T, H)
	need("GRU", "w", w, 3*H*H)
	if B*T*H == 0 {
		return
	}
	m := hidden{w: w, n: H, K: H, bk: 1, bn: H}
	packHidden(&m, 3, B, T)
	owner, first := orZeros(c.H0, B*H)
	grus.run(gru{c.H, c.Q, c.G, c.Bias, c.H0, first, m, T}, B, T, 3*H*H, false)
	giveBack(owner, m.packed)
	keepLast(c.H0, c.H, B, T, H)
}

// GRUStored is GRU with a matrix of any storage type, for inference.
func GRUStored(c GRUCells, w *Matrix, B, T, H int) {
	c.need("GRUStored", B, T, H)
	if B*T*H == 0 {
		return
	}
	owner, first := orZeros(c.H0, B*H)
	m := gru{c.H, c.Q, c.G, c.Bias, c.H0, first, hidden{n: H}, T}
	storedSteps(c.H, c.H0, w, B, T, H, func(t int, y []float32) {
		for row := range B {
			at := (row*T + t) * H
			copy(c.Q[at:at+H], y[(3*row+2)*H:])
			accumulate(c.G[3*at:3*at+2*H], y[3*row*H:(3*row+2)*H])
		}
		m.gates(t, 0, B, 0, H)
	})
	giveBack(owner)
	keepLast(c.H0, c.H, B, T, H)
}

// GRUGrad overwrites dx [B,T,3H] with the gradient to x and adds the gradients
// to w and b to dw [3H,H] and db [3H], each of which may be nil, given dh and
// the c that GRU filled, with the state before that call in H0. Backwards in
// time from e = 0, at each t:
//
//	e += dh[t];  dn = e⊙(1-z)⊙(1-n²);  dq = dn⊙r
//	dr = dn⊙q⊙r⊙(1-r);  dz = e⊙(h[t-1] - n)⊙z⊙(1-z);  dx[t] = dr, dz, dn
//	dy = dr, dz, dq;  dw += dyᵀ·h[t-1];  db += dy;  e = e⊙z + Wᵀ·dy
func GRUGrad(dx, dw, db, dh []float32, c GRUCells, w []float32, B, T, H int) {
	c.need("GRUGrad", B, T, H)
	need("GRUGrad", "w", w, 3*H*H)
	need("GRUGrad", "dx", dx, 3*B*T*H)
	need("GRUGrad", "dh", dh, B*T*H)
	needOrNil("GRUGrad", "dw", dw, 3*H*H)
	needOrNil("GRUGrad", "db", db, 3*H)
	if B*T*H == 0 {
		return
	}
	m := hidden{w: w, n: H, K: 3 * H, bk: H, bn: 1}
	packHidden(&m, 1, B, T)
	zeros, first := orZeros(c.H0, B*H)
	carry, e := orZeros(nil, B*H)
	owner, dy := borrow(3 * B * T * H)
	gruGrads.run(gruGrad{dx, dy, dh, c.H, c.Q, c.G, first, e, m, T}, B, T, 3*H*H, true)
	if dw != nil {
		hiddenGrad(dw, dy, c.H, c.H0, B, T, 3*H, H)
	}
	if db != nil {
		BiasGrad(db, dy, B*T, 3*H)
	}
	giveBack(zeros, carry, owner, m.packed)
}

// gru holds the arguments of GRU; first is H0 or zeros.
type gru struct {
	h, q, g, b, h0, first []float32
	w                     hidden
	T                     int
}

var grus recurrence[gru, *gru]

func (m *gru) step(t, b0, b1, lo, hi, chunks int) {
	H := m.w.n
	n0, n1 := m.w.border(lo, chunks), m.w.border(hi, chunks)
	for b := b0; b < b1; b++ {
		at := (b*m.T + t) * H
		clear(m.q[at+n0 : at+n1])
	}
	if a, apart := before(m.h, m.h0, b0, t, m.T, H); a != nil {
		at := (b0*m.T + t) * H
		for g := range 2 {
			m.w.addTo(m.g[3*at+g*H:], m.T*3*H, a, apart, b1-b0, g, n0, n1)
		}
		m.w.addTo(m.q[at:], m.T*H, a, apart, b1-b0, 2, n0, n1)
	}
	m.gates(t, b0, b1, n0, n1)
}

// gates computes gates and h of units n0 … n1-1 of rows b0 … b1-1 from their
// sums.
func (m *gru) gates(t, b0, b1, n0, n1 int) {
	H := m.w.n
	for b := b0; b < b1; b++ {
		at := (b*m.T + t) * H
		h0, _ := before(m.h, m.first, b, t, m.T, H)
		gruCell(m.h[at+n0:at+n1], m.q[at+n0:at+n1], h0[n0:n1], m.g[3*at+n0:3*(at+H)], m.b[n0:], H)
	}
}

// gruGrad holds the arguments of GRUGrad; first is H0 or zeros, and e [B,H]
// comes from step t+1.
type gruGrad struct {
	dx, dy, dh, h, q, g, first, e []float32
	w                             hidden
	T                             int
}

var gruGrads recurrence[gruGrad, *gruGrad]

func (m *gruGrad) step(t, b0, b1, lo, hi, chunks int) {
	H := m.w.n
	n0, n1 := m.w.border(lo, chunks), m.w.border(hi, chunks)
	for b := b0; b < b1; b++ {
		at := (b*m.T + t) * H
		accumulate(m.e[b*H+n0:b*H+n1], m.dh[at+n0:at+n1])
	}
	if t+1 < m.T {
		m.w.addTo(m.e[b0*H:], H, m.dy[(b0*m.T+t+1)*3*H:], m.T*3*H, b1-b0, 0, n0, n1)
	}
	for b := b0; b < b1; b++ {
		at := (b*m.T + t) * H
		dx, dy := m.dx[3*at:3*(at+H)], m.dy[3*at:3*(at+H)]
		h0, _ := before(m.h, m.first, b, t, m.T, H)
		gruCellGrad(dx[2*H+n0:2*H+n1], dy[n0:], m.e[b*H+n0:b*H+n1], h0[n0:n1], m.q[at+n0:at+n1], m.g[3*at+n0:3*(at+H)], H)
		copy(dx[n0:n1], dy[n0:])
		copy(dx[H+n0:H+n1], dy[H+n0:])
	}
}

func (c *GRUCells) need(op string, B, T, H int) {
	needDims(op, B, T, H)
	need(op, "h", c.H, B*T*H)
	need(op, "q", c.Q, B*T*H)
	need(op, "g", c.G, 3*B*T*H)
	need(op, "b", c.Bias, 3*H)
	needOrNil(op, "h0", c.H0, B*H)
}
