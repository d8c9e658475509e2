package kernels

func dotGeneric(a, b []float32) float32 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// attendTileGeneric does rows queries of head h from t0 on, each over all its keys.
func attendTileGeneric(j *attentionJob, b, h, t0, rows int) {
	s := &j.s
	owner, p := borrow(s.S)
	for t := t0; t < t0+rows; t++ {
		q := j.q[s.query(b, t, h):][:s.D]
		p := p[:s.S-s.T+t+1]
		for i := range p {
			p[i] = dotGeneric(q, j.k[s.key(b, h)+i*s.KS:])
		}
		lse := softmaxRow(p, p, s.scale())
		if j.lse != nil {
			j.lse[(b*s.H+h)*s.T+t] = lse
		}
		y := j.y[s.row(b, t, h):][:s.D]
		clear(y)
		for i, w := range p {
			axpyGeneric(y, j.v[s.key(b, h)+i*s.KS:], w)
		}
	}
	floatBuffers.Put(owner)
}

// attendBackGeneric does n keys of head h from k0 on; rows of dq start stride apart.
func attendBackGeneric(j *attentionGradJob, dq []float32, stride, b, h, k0, n int) {
	s := &j.s
	for t := max(0, k0-(s.S-s.T)); t < s.T; t++ {
		q, row := j.q[s.query(b, t, h):][:s.D], s.row(b, t, h)
		dy, dq := j.dy[row:row+s.D], dq[t*stride:][:s.D]
		d, lse := dotGeneric(dy, j.y[row:]), j.lse[(b*s.H+h)*s.T+t]
		for i := k0; i < min(k0+n, s.S-s.T+t+1); i++ {
			at := s.key(b, h) + i*s.KS
			k, v := j.k[at:at+s.D], j.v[at:at+s.D]
			p := exp32(dotGeneric(q, k)*s.scale() - lse)
			ds := p * (dotGeneric(dy, v) - d) * s.scale()
			axpyGeneric(dq, k, ds)
			axpyGeneric(j.dk[at:at+s.D], q, ds)
			axpyGeneric(j.dv[at:at+s.D], dy, p)
		}
	}
}

// headDotsGeneric is scores[h,i] = q[h]·k[i,h] for n rows of k, stride apart.
func headDotsGeneric(scores, q, k []float32, n, stride, H, D int) {
	for i := range n {
		for h := range H {
			scores[h*n+i] = dotGeneric(q[h*D:(h+1)*D], k[i*stride+h*D:])
		}
	}
}

// headSumsGeneric is y[h] = Σ_i p[h,i]·v[i,h] over n rows of v, stride apart.
func headSumsGeneric(y, p, v []float32, n, stride, H, D int) {
	clear(y[:H*D])
	for i := range n {
		for h := range H {
			axpyGeneric(y[h*D:(h+1)*D], v[i*stride+h*D:], p[h*n+i])
		}
	}
}
