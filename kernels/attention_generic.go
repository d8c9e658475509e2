package kernels

func dotGeneric(a, b []float32) float32 {
	var sum float32
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// attendTileGeneric computes the rows queries of head h from t0 on, each over
// all keys that it sees.
func attendTileGeneric(j *attentionJob, b, h, t0, rows int) {
	s := &j.s
	owner, p := borrow(s.S)
	for t := t0; t < t0+rows; t++ {
		q := j.q[s.query(b, t, h):][:s.D]
		first := s.first(t)
		p, key := p[:s.S-s.T+t+1-first], s.key(b, h)+first*s.KS
		for i := range p {
			p[i] = j.k.from(key + i*s.KS).dot(q)
		}
		lse := softmaxRow(p, p, s.scale())
		if j.lse != nil {
			j.lse[(b*s.H+h)*s.T+t] = lse
		}
		y := j.y[s.row(b, t, h):][:s.D]
		clear(y)
		for i, w := range p {
			j.v.from(key+i*s.KS).addTo(y, w)
		}
	}
	floatBuffers.Put(owner)
}

// attendBackGeneric adds the gradients due to the n keys from k0 on, for the
// query heads of the group that begins with h.
func attendBackGeneric(j *attentionGradJob, b, h, group, k0, n int) {
	s := &j.s
	from, to := s.seenBy(k0, n)
	for h, end := h, h+s.group(); h < end; h++ {
		dqs, stride := j.queryGrad(b, h, group)
		for t := from; t < to; t++ {
			q, row := j.q[s.query(b, t, h):][:s.D], s.row(b, t, h)
			dy, dq := j.dy[row:row+s.D], dqs[t*stride:][:s.D]
			d, lse := dotGeneric(dy, j.y[row:]), j.lse[(b*s.H+h)*s.T+t]
			for i := max(k0, s.first(t)); i < min(k0+n, s.S-s.T+t+1); i++ {
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
}

// headDotsGeneric is scores[h,i] = q[h]·k[i,h/G] for n rows of k, which lie
// stride elements apart: H heads of k, each read by G query heads. A head has
// slots scores, and heads lie ld floats apart.
func headDotsGeneric(scores, q []float32, k keyRows, n, stride, H, G, D int) (slots, ld int) {
	for i := range n {
		for h := range H * G {
			scores[h*n+i] = k.from(i*stride + h/G*D).dot(q[h*D : (h+1)*D])
		}
	}
	return n, n
}

// headSumsGeneric is y[h] = Σ_i p[h,i]·v[i,h/G] over n rows of v, with the
// layout of headDotsGeneric.
func headSumsGeneric(y, p []float32, v keyRows, n, stride, H, G, D int) {
	clear(y[:H*G*D])
	for i := range n {
		for h := range H * G {
			v.from(i*stride+h/G*D).addTo(y[h*D:(h+1)*D], p[h*n+i])
		}
	}
}
