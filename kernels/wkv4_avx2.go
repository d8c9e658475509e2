//go:build amd64 && !purego

package kernels

func wkv4AVX2(y, a, b, p, w, u, k, v []float32, T, C int) {
	n := len(w)
	switch {
	case n == wkvBlock:
		wkv4x16AVX2(at(y), at(a), at(b), at(p), at(w), at(u), at(k), at(v), T, C)
	case n > 8:
		wkv4AVX2(y, a[:8], b[:8], p[:8], w[:8], u[:8], k, v, T, C)
		wkv4AVX2(y[8:], a[8:], b[8:], p[8:], w[8:], u[8:], k[8:], v[8:], T, C)
	case n == 8:
		wkv4x8AVX2(at(y), at(a), at(b), at(p), at(w), at(u), at(k), at(v), T, C)
	default:
		wkv4RestAVX2(at(y), at(a), at(b), at(p), at(w), at(u), at(k), at(v), T, C, n)
	}
}

// state and step return the tape's values of the eight channels from i on.
func (t *wkvTape) state(i int) *float32 { return &t.a[i] }
func (t *wkvTape) step(s, i int) *float32 {
	return &t.steps[4*wkvBlock*s+i]
}

func wkv4GradForwardAVX2(tape *wkvTape, dy, w, u, k, v []float32, T, C int) {
	for i := 0; i < len(w); i += 8 {
		if n := len(w) - i; n >= 8 {
			wkv4GradForwardx8AVX2(tape.state(i), tape.step(0, i), at(dy[i:]), at(w[i:]), at(u[i:]), at(k[i:]), at(v[i:]), T, C)
		} else {
			wkv4GradForwardRestAVX2(tape.state(i), tape.step(0, i), at(dy[i:]), at(w[i:]), at(u[i:]), at(k[i:]), at(v[i:]), T, C, n)
		}
	}
}

func wkv4GradReverseAVX2(dk, dv []float32, strideK, strideV int, tape *wkvTape, w, k, v []float32, T, C int) {
	dk, dv, k, v = dk[(T-1)*strideK:], dv[(T-1)*strideV:], k[(T-1)*C:], v[(T-1)*C:]
	for i := 0; i < len(w); i += 8 {
		if n := len(w) - i; n >= 8 {
			wkv4GradReversex8AVX2(at(dk[i:]), at(dv[i:]), tape.step(T-1, i), at(w[i:]), at(k[i:]), at(v[i:]), T, C, strideK, strideV)
		} else {
			wkv4GradReverseRestAVX2(at(dk[i:]), at(dv[i:]), tape.step(T-1, i), at(w[i:]), at(k[i:]), at(v[i:]), T, C, strideK, strideV, n)
		}
	}
}
