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
	owner, scratch := borrow(2 * B * H)
	prev, z := scratch[:B*H], scratch[B*H:]
	if clear(prev); h0 != nil {
		copy(prev, h0)
	}
	for t := range T {
		recur(z, w, prev, B, H)
		for b := range B {
			row := (b*T + t) * H
			now := z[b*H : (b+1)*H]
			accumulate(now, x[row:row+H])
			tanh(h[row:row+H], now)
			copy(prev[b*H:], h[row:row+H])
		}
	}
	if h0 != nil {
		copy(h0, prev)
	}
	floatBuffers.Put(owner)
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
	owner, scratch := borrow((2 + T) * B * H)
	g, z, all := scratch[:B*H], scratch[B*H:2*B*H], scratch[2*B*H:]
	clear(g)
	for t := T - 1; t >= 0; t-- {
		clear(z)
		for b := range B {
			at, row := b*H, (b*T+t)*H
			accumulate(g[at:at+H], dh[row:row+H])
			tanhGrad(z[at:at+H], g[at:at+H], h[row:row+H])
			copy(all[row:row+H], z[at:at+H])
		}
		if t > 0 {
			MatMulNN(g, z, w, B, H, H, false)
		}
	}
	Accumulate(dx, all)
	if dw != nil {
		elmanWeights(dw, all, z, h, h0, B, T, H)
	}
	floatBuffers.Put(owner)
}

// recur is z[b] = W·prev[b].
func recur(z, w, prev []float32, B, H int) {
	if B == 1 {
		MatVec(z, w, prev, H, H)
		return
	}
	MatMulNT(z, prev, w, B, H, H, false)
}

// elmanWeights is dw += Σ z[t]ᵀ·h[t-1]; first [B,H] is z of the first step.
func elmanWeights(dw, z, first, h, h0 []float32, B, T, H int) {
	if h0 != nil {
		MatMulTN(dw, first, h0, H, H, B, true)
	}
	if T == 1 {
		return
	}
	for b := range B {
		row := b * T * H
		MatMulTN(dw, z[row+H:row+T*H], h[row:row+(T-1)*H], H, H, T-1, true)
	}
}

func needElman(op string, h, x, w, h0 []float32, B, T, H int) {
	needDims(op, B, T, H)
	need(op, "h", h, B*T*H)
	need(op, "x or dh", x, B*T*H)
	need(op, "w", w, H*H)
	needOrNil(op, "h0", h0, B*H)
}
