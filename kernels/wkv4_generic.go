package kernels

// wkv4Generic computes len(w) channels; rows of y, k, v lie C floats apart.
func wkv4Generic(y, a, b, p, w, u, k, v []float32, T, C int) {
	for t := range T {
		for c := range w {
			kt, vt := k[t*C+c], v[t*C+c]
			q := max(p[c], u[c]+kt)
			e1, e2 := exp32(p[c]-q), exp32(u[c]+kt-q)
			y[t*C+c] = (e1*a[c] + e2*vt) / (e1*b[c] + e2)
			q = max(w[c]+p[c], kt)
			e1, e2 = exp32(w[c]+p[c]-q), exp32(kt-q)
			a[c], b[c], p[c] = e1*a[c]+e2*vt, e1*b[c]+e2, q
		}
	}
}

// wkv4GradForwardGeneric runs the recurrence from the tape's state, adds to the
// tape's dw and du and fills its steps with y, f = E·D, s = D·e^m and m, the
// exponent of the step's output.
func wkv4GradForwardGeneric(tape *wkvTape, dy, w, u, k, v []float32, T, C int) {
	var aw, bw [wkvBlock]float32
	a, b, p := &tape.a, &tape.b, &tape.p
	for t := range T {
		step := tape.steps[4*t*wkvBlock : 4*(t+1)*wkvBlock]
		for c := range w {
			kt, vt := k[t*C+c], v[t*C+c]
			m := max(p[c], u[c]+kt)
			e1, e2 := exp32(p[c]-m), exp32(u[c]+kt-m)
			r := 1 / (e1*b[c] + e2)
			y, s := (e1*a[c]+e2*vt)*r, dy[t*C+c]*r
			f := e2 * s
			tape.dw[c] += (aw[c] - bw[c]*y) * e1 * s
			tape.du[c] += (vt - y) * f
			step[c], step[wkvBlock+c], step[2*wkvBlock+c], step[3*wkvBlock+c] = y, f, s, m
			q := max(w[c]+p[c], kt)
			e1, e2 = exp32(w[c]+p[c]-q), exp32(kt-q)
			aw[c], bw[c] = e1*(a[c]+aw[c]), e1*(b[c]+bw[c])
			a[c], b[c], p[c] = e1*a[c]+e2*vt, e1*b[c]+e2, q
		}
	}
}

// wkv4GradReverseGeneric adds to dk and dv from the tape's steps. o is the
// exponent of P and Q; k+o ≤ 0 because every m is at least the decayed key.
func wkv4GradReverseGeneric(dk, dv []float32, strideK, strideV int, tape *wkvTape, w, k, v []float32, T, C int) {
	var P, Q, o [wkvBlock]float32
	for c := range o {
		o[c] = WKV4Start
	}
	for t := T - 1; t >= 0; t-- {
		step := tape.steps[4*t*wkvBlock : 4*(t+1)*wkvBlock]
		for c := range w {
			y, f, s, m := step[c], step[wkvBlock+c], step[2*wkvBlock+c], step[3*wkvBlock+c]
			kt, vt := k[t*C+c], v[t*C+c]
			e := exp32(kt + o[c])
			dv[t*strideV+c] += f + e*P[c]
			dk[t*strideK+c] += f*(vt-y) + e*(P[c]*vt+Q[c])
			q := max(w[c]+o[c], -m)
			e1, e2 := exp32(w[c]+o[c]-q), exp32(-m-q)*s
			P[c], Q[c], o[c] = e1*P[c]+e2, e1*Q[c]-e2*y, q
		}
	}
}
