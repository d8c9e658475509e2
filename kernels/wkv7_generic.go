package kernels

// wkv7Generic computes T steps of one head: s is [N,N], d [T,N] the decays e^w;
// rows of the others lie C floats apart. sa may be nil.
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

// wkv7CarryGeneric updates block i of values of a state, x [n], in place over
// the steps of a chunk.
func wkv7CarryGeneric(x []wkv7Tile, steps []wkv7Block, i, T int) {
	for t := range T {
		step := steps[t*len(x) : (t+1)*len(x)]
		v, sa := &step[i][stepV], &step[i][stepSA]
		for n := range x {
			w, k, b := &step[n][stepW], &step[n][stepK], &step[n][stepB]
			for row := range x[n] {
				for c, s := range x[n][row] {
					x[n][row][c] = w[c]*s + v[row]*k[c] + sa[row]*b[c]
				}
			}
		}
	}
}

// wkv7AdvanceGeneric is wkv7Carry that keeps the state of every step: x[:n] is
// the state before the first step, the next n tiles the state after it, and so
// on. It adds to the dr of the steps.
func wkv7AdvanceGeneric(x []wkv7Tile, steps []wkv7Block, n, i, T int) {
	for t := range T {
		copy(x[(t+1)*n:(t+2)*n], x[t*n:])
		now, step := x[(t+1)*n:(t+2)*n], steps[t*n:(t+1)*n]
		wkv7CarryGeneric(now, step, i, 1)
		for b := range now {
			for row, dy := range step[i][stepDY] {
				for c, s := range now[b][row] {
					step[b][stepDR][c] += s * dy
				}
			}
		}
	}
}

// wkv7ReverseGeneric carries the gradient of block i of values backwards over
// the steps of a chunk, whose states wkv7Advance computed.
func wkv7ReverseGeneric(tape *wkv7Tape, i, T int) {
	n := tape.n
	g := tape.g[i*n : (i+1)*n]
	for t := T - 1; t >= 0; t-- {
		step, old := tape.steps[t*n:(t+1)*n], tape.states[t*n:(t+1)*n]
		v, sa, dy, dv := &step[i][stepV], &step[i][stepSA], &step[i][stepDY], &step[i][stepDV]
		var dsa [wkv7Side]float32
		for n := range g {
			p := &step[n]
			for row := range g[n] {
				for c := range g[n][row] {
					D := g[n][row][c] + dy[row]*p[stepR][c]
					g[n][row][c] = D
					p[stepDK][c] += D * v[row]
					p[stepDB][c] += D * sa[row]
					p[stepDW][c] += p[stepW][c] * D * old[n][row][c]
					dv[row] += D * p[stepK][c]
					dsa[row] += D * p[stepB][c]
				}
			}
		}
		for n := range g {
			p := &step[n]
			for row := range g[n] {
				for c := range g[n][row] {
					p[stepDA][c] += old[n][row][c] * dsa[row]
					g[n][row][c] = p[stepW][c]*g[n][row][c] + dsa[row]*p[stepA][c]
				}
			}
		}
	}
}

// wkv7PackGeneric copies T rows of N floats, which lie stride floats apart, to
// one vector of their steps of n blocks; decays as e^x.
func wkv7PackGeneric(steps []wkv7Block, n, vector int, x []float32, N, T, stride, _ int) {
	for t := range T {
		for i := 0; i < N; i += wkv7Side {
			from, to := x[t*stride+i:t*stride+min(i+wkv7Side, N)], &steps[t*n+i/wkv7Side][vector]
			if vector == stepW {
				exp(to[:len(from)], from)
			} else {
				copy(to[:], from)
			}
		}
	}
}

// wkv7UnpackGeneric adds one vector of T steps to rows of x, and clears it.
func wkv7UnpackGeneric(x []float32, steps []wkv7Block, n, vector, N, T, stride, _ int) {
	for t := range T {
		for i := 0; i < N; i += wkv7Side {
			v := &steps[t*n+i/wkv7Side][vector]
			to := x[t*stride+i : t*stride+min(i+wkv7Side, N)]
			accumulate(to, v[:len(to)])
			*v = [wkv7Side]float32{}
		}
	}
}

// wkv7FetchGeneric does nothing: prefetching rows that lie pages apart speeds
// up assembly alone.
func wkv7FetchGeneric(x []float32, N, T, stride int) {}
