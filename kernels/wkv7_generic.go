package kernels

// wkv7Generic does T steps of one head: s is [N,N], d [T,N] the decays e^w,
// rows of the others start C apart. A nil sa is not kept.
func wkv7Generic(y, s, sa, d, r, k, v, a, b []float32, T, C, N int) {
	var few [64]float32
	sum := few[:min(N, len(few))]
	if N > len(few) {
		sum = make([]float32, N)
	}
	for t := range T {
		at := t * C
		clear(sum)
		for j, aj := range a[at : at+N] {
			for i, x := range s[j*N : (j+1)*N] {
				sum[i] += x * aj
			}
		}
		if sa != nil {
			copy(sa[at:at+N], sum)
		}
		yt, vt := y[at:at+N], v[at:at+N]
		clear(yt)
		for j, dj := range d[t*N : (t+1)*N] {
			kj, bj, rj := k[at+j], b[at+j], r[at+j]
			row := s[j*N : (j+1)*N]
			for i, x := range row {
				x = dj*x + vt[i]*kj + sum[i]*bj
				row[i] = x
				yt[i] += x * rj
			}
		}
	}
}

// wkv7AdvanceGeneric moves rows of the transposed state x [rows,P] past the
// steps of a chunk, writing the state after each to x[rows·P:] and so on, and
// adds to the dr of the steps. Rows are the values from i0 on.
func wkv7AdvanceGeneric(x, steps []float32, P, i0, rows, T int) {
	for t := range T {
		s := wkv7Step(steps, P, t)
		old, now := x[t*rows*P:(t+1)*rows*P], x[(t+1)*rows*P:]
		w, k, b, dr := s.key(keyW), s.key(keyK), s.key(keyB), s.key(keyDR)
		for i := range rows {
			v, sa, dy := s.key(valV)[i0+i], s.key(valSA)[i0+i], s.key(valDY)[i0+i]
			for j, x := range old[i*P : (i+1)*P] {
				x = w[j]*x + v*k[j] + sa*b[j]
				now[i*P+j] = x
				dr[j] += x * dy
			}
		}
	}
}

// wkv7CarryGeneric moves rows of the transposed state x past the steps of a
// chunk, in place.
func wkv7CarryGeneric(x, steps []float32, P, rows, T int) {
	for t := range T {
		s := wkv7Step(steps, P, t)
		w, k, b := s.key(keyW), s.key(keyK), s.key(keyB)
		for i := range rows {
			v, sa := s.key(valV)[i], s.key(valSA)[i]
			row := x[i*P : (i+1)*P]
			for j, x := range row {
				row[j] = w[j]*x + v*k[j] + sa*b[j]
			}
		}
	}
}

// wkv7ReverseGeneric goes back over the steps of a chunk: x holds the states
// that wkv7AdvanceGeneric found, g [rows,P] the gradient of the last. What it
// adds to dw lacks the factor e^w.
func wkv7ReverseGeneric(g, x, steps []float32, P, i0, rows, T int) {
	for t := T - 1; t >= 0; t-- {
		s := wkv7Step(steps, P, t)
		old := x[t*rows*P : (t+1)*rows*P]
		w, r, k, a, b := s.key(keyW), s.key(keyR), s.key(keyK), s.key(keyA), s.key(keyB)
		dw, dk, da, db := s.key(keyDW), s.key(keyDK), s.key(keyDA), s.key(keyDB)
		for i := range rows {
			v, sa, dy := s.key(valV)[i0+i], s.key(valSA)[i0+i], s.key(valDY)[i0+i]
			G, S := g[i*P:(i+1)*P], old[i*P:(i+1)*P]
			var dv, dsa float32
			for j := range G {
				D := G[j] + dy*r[j]
				G[j] = D
				dk[j] += D * v
				db[j] += D * sa
				dw[j] += D * S[j]
				dv += D * k[j]
				dsa += D * b[j]
			}
			s.key(valDV)[i0+i] += dv
			for j := range G {
				da[j] += S[j] * dsa
				G[j] = w[j]*G[j] + dsa*a[j]
			}
		}
	}
}
