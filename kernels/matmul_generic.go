package kernels

var genericProducts jobs[product, *product]

func multiplyMatricesGeneric(p *product) {
	genericProducts.run(p.M, max(1, 1<<15/(p.N*p.K)), *p)
}

func multiplyFewGeneric(p *product, lo, hi, chunks int) {
	q := *p
	n0 := p.column(lo, chunks)
	q.c, q.b, q.N = p.c[n0:], p.b[n0*p.bn:], p.column(hi, chunks)-n0
	q.span(0, q.M)
}

// span computes rows lo … hi-1 of c, summing in the order of k.
func (p *product) span(lo, hi int) {
	for m := lo; m < hi; m++ {
		c := p.c[m*p.ldc : m*p.ldc+p.N]
		if !p.acc {
			clear(c)
		}
		if p.ak == 1 && p.bk == 1 {
			p.rowOfDots(c, m)
			continue
		}
		for k := range p.K {
			a, b := p.a[m*p.am+k*p.ak], p.b[k*p.bk:k*p.bk+p.N]
			for n := range c {
				c[n] += a * b[n]
			}
		}
	}
	p.then.rows(p.c, p.ldc, lo, hi, 0, p.N)
}

// rowOfDots adds to row m of c the dot products of a row of a and the rows of
// b, with four partial sums each.
func (p *product) rowOfDots(c []float32, m int) {
	a := p.a[m*p.am : m*p.am+p.K]
	for n := range c {
		b := p.b[n*p.bn : n*p.bn+p.K]
		b = b[:len(a)]
		var s0, s1, s2, s3 float32
		k := 0
		for ; k+4 <= len(a); k += 4 {
			s0 += a[k] * b[k]
			s1 += a[k+1] * b[k+1]
			s2 += a[k+2] * b[k+2]
			s3 += a[k+3] * b[k+3]
		}
		for ; k < len(a); k++ {
			s0 += a[k] * b[k]
		}
		c[n] += s0 + s1 + s2 + s3
	}
}
