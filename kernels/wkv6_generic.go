package kernels

// row returns the time of the n-th step of the scan.
func (q *wkv6Scan) row(n int) int {
	if q.back {
		return q.T - 1 - n
	}
	return n
}

// wkv6ValuesGeneric computes a row of values for each step from the state s [N
// keys,N values]:
//
//	out_t[j] = c_t·x_t[j] + Σ_i a_t[i]·S[i,j];  S'[i,j] = d_t[i]·S[i,j] + b_t[i]·x_t[j]
func wkv6ValuesGeneric(q *wkv6Scan) {
	N := q.N
	for n := range q.T {
		t := q.row(n)
		out, x := q.out[t*q.outStride:][:N], q.x[t*q.stride:][:N]
		a, b, d := q.a[t*q.stride:][:N], q.b[t*q.stride:][:N], q.d[t*q.dStride:][:N]
		for j := range out {
			out[j] = q.c[t] * x[j]
		}
		for i := range N {
			s := q.s[i*N : (i+1)*N]
			for j := range s {
				out[j] += a[i] * s[j]
				s[j] = d[i]*s[j] + b[i]*x[j]
			}
		}
	}
}

// wkv6KeysGeneric computes a row of keys for each step from the transposed
// state s [N values,N keys]:
//
//	out_t[i] = Σ_j a_t[j]·S[j,i];  S'[j,i] = d_t[i]·S[j,i] + b_t[i]·x_t[j]
func wkv6KeysGeneric(q *wkv6Scan) {
	N := q.N
	for n := range q.T {
		t := q.row(n)
		out, x := q.out[t*q.outStride:][:N], q.x[t*q.stride:][:N]
		a, b, d := q.a[t*q.stride:][:N], q.b[t*q.stride:][:N], q.d[t*q.dStride:][:N]
		clear(out)
		for j := range N {
			s := q.s[j*N : (j+1)*N]
			for i := range s {
				out[i] += a[j] * s[i]
				s[i] = d[i]*s[i] + b[i]*x[j]
			}
		}
	}
}

// wkv6DotsGeneric is c[t] = Σ_i a_t[i]·u[i]·b_t[i].
func wkv6DotsGeneric(c, a, u, b []float32, N, stride int) {
	for t := range c {
		var sum float32
		for i, ui := range u[:N] {
			sum += a[t*stride+i] * ui * b[t*stride+i]
		}
		c[t] = sum
	}
}

// wkv6DecaysGeneric is d[t] = e^w[t] on rows of N floats; rows of d are
// contiguous, rows of w lie stride floats apart.
func wkv6DecaysGeneric(d, w []float32, N, stride int) {
	for t := range len(d) / N {
		expGeneric(d[t*N:(t+1)*N], w[t*stride:t*stride+N])
	}
}

// wkv6Forgets is the e^w below which dw is set to 0: it would be smaller than
// the rounding of the difference that it is computed from.
const wkv6Forgets = 1.0 / (1 << 24)

// wkv6JoinGeneric adds to the gradients of a step, given gr and gk from the
// scans and e = Σ_j dy[j]·v[j], and moves q to the step before:
//
//	dw += q - k·gk;  q' = q - k·gk + r·gr      q - k·gk: 0 where d < 2^-24
//	dr += gr + u·k·e;  dk += gk + u·r·e;  du += r·k·e
func wkv6JoinGeneric(dw, dr, dk, du, q, gr, gk, u, r, k, d []float32, e float32) {
	for i := range u {
		var slope float32
		if !(d[i] < wkv6Forgets) {
			slope = q[i] - k[i]*gk[i]
		}
		q[i] = slope + r[i]*gr[i]
		dw[i] += slope
		dr[i] += gr[i] + u[i]*e*k[i]
		dk[i] += gk[i] + u[i]*e*r[i]
		du[i] += r[i] * k[i] * e
	}
}

// wkv6MeetGeneric is q[i] += Σ_j G[j,i]·S[j,i] over R rows of transposed
// states.
func wkv6MeetGeneric(q, G, S []float32, R, stride int) {
	for j := range R {
		g, s := G[j*stride:], S[j*stride:]
		for i := range q {
			q[i] += g[i] * s[i]
		}
	}
}

// transpose is y[j,i] = x[i,j], both [N,N].
func transpose(y, x []float32, N int) {
	for i := range N {
		for j := range N {
			y[j*N+i] = x[i*N+j]
		}
	}
}
