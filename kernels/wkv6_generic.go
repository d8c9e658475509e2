package kernels

// row returns which step is the n-th that the scan comes to.
func (q *wkv6Scan) row(n int) int {
	if q.back {
		return q.T - 1 - n
	}
	return n
}

// wkv6ValuesGeneric gives a row of values for each step, from the state s
// [N keys,N values]:
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

// wkv6KeysGeneric gives a row of keys for each step, from the transposed state
// s [N values,N keys]:
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
func wkv6DotsGeneric(c, a, u, b []float32, stride int) {
	for t := range c {
		var sum float32
		for i, ui := range u {
			sum += a[t*stride+i] * ui * b[t*stride+i]
		}
		c[t] = sum
	}
}

// wkv6JoinGeneric adds to a head's gradients over T steps, the last first,
// from the scans' dr and dk (rows N apart) and e_t = Σ_j dy_t[j]·v_t[j]:
//
//	dw_t += Q - k_t·gk_t;  Q' = Q - k_t·gk_t + r_t·gr_t
//	dr_t += gr_t + u·k_t·e_t;  dk_t += gk_t + u·r_t·e_t;  du += r_t·k_t·e_t
func wkv6JoinGeneric(g *wkv6Join) {
	N := len(g.u)
	for t := g.T - 1; t >= 0; t-- {
		r, k, gr, gk := g.r[t*g.stride:][:N], g.k[t*g.stride:][:N], g.gr[t*N:][:N], g.gk[t*N:][:N]
		dw, dr, dk := g.dw[t*g.dwStride:][:N], g.dr[t*g.drStride:][:N], g.dk[t*g.dkStride:][:N]
		e := g.e[t]
		for i, u := range g.u {
			slope := g.q[i] - k[i]*gk[i]
			g.q[i] = slope + r[i]*gr[i]
			dw[i] += slope
			dr[i] += gr[i] + u*k[i]*e
			dk[i] += gk[i] + u*r[i]*e
			g.du[i] += r[i] * k[i] * e
		}
	}
}

// wkv6MeetGeneric is q[i] = Σ_j G[j,i]·S[j,i] over transposed states [N,N].
func wkv6MeetGeneric(q, G, S []float32) {
	N := len(q)
	clear(q)
	for j := range N {
		g, s := G[j*N:(j+1)*N], S[j*N:(j+1)*N]
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
