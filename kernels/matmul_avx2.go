//go:build amd64 && !purego

package kernels

import "sync"

const (
	tileM, tileN = 6, 16
	blockM       = 96  // rows of a chunk: with blockK floats each they stay in L2
	blockK       = 256 // a panel of b, blockK·16 floats, stays in L1
	minChunks    = 12  // enough for threads to finish together
	// skinny is the most rows for which dot products beat packing b.
	skinny = 16
	// direct is the most rows for which tiles read b in place.
	direct = 32
	// paddedK is the row length of a copied block of a: rows a power of two
	// apart would share the sets of the first-level cache.
	paddedK = blockK + 16
	// serialWork is the multiply-adds that are not worth a second thread.
	serialWork = 1 << 16
)

var (
	packs   jobs[packing, *packing]
	blocks  jobs[blocked, *blocked]
	skinnys jobs[dotting, *dotting]

	floatsPool sync.Pool // *[]float32, scratch of packed panels
)

// scratch returns n floats of undefined contents; give them back with Put.
func scratch(n int) *[]float32 {
	s, _ := floatsPool.Get().(*[]float32)
	if s == nil || cap(*s) < n {
		f := make([]float32, n+n/4)
		s = &f
	}
	*s = (*s)[:n]
	return s
}

// avx2 chooses the way: dot products for few rows of a·bᵀ, else 6x16 tiles
// over panels of b.
func (p product) avx2(threaded bool) {
	threaded = threaded && p.M*p.N*p.K > serialWork
	if p.ak == 1 && p.bk == 1 && p.M <= skinny {
		d := dotting{p, (p.N + dotRows - 1) / dotRows}
		if threaded {
			skinnys.run(d.chunks, 1, d)
		} else {
			d.span(0, d.chunks)
		}
		return
	}
	panels, first := (p.N+tileN-1)/tileN, 0
	if p.bn == 1 && p.M <= direct {
		first = p.N / tileN // only a last part of a panel is packed
	}
	rows := (p.M + blockM - 1) / blockM
	across := min(panels, (minChunks+rows-1)/rows)
	columns := (panels + across - 1) / across * tileN
	buf := scratch((panels - first) * tileN * p.K)
	pack := packing{p, *buf, first}
	work := blocked{product: p, panels: *buf, first: first, columns: columns, across: (p.N + columns - 1) / columns}
	if threaded {
		packs.run(panels-first, max(1, 1<<14/(tileN*p.K)), pack)
		blocks.run(work.across*rows, 1, work)
	} else {
		pack.span(0, panels-first)
		work.span(0, work.across*rows)
	}
	floatsPool.Put(buf)
}

// packing turns b from panel first on into panels of 16 columns, [K,16] each,
// zeros where there are no more columns.
type packing struct {
	product
	dst   []float32
	first int
}

func (p *packing) span(lo, hi int) {
	for j := lo; j < hi; j++ {
		dst := p.dst[j*tileN*p.K : (j+1)*tileN*p.K]
		n0 := (p.first + j) * tileN
		cols := min(tileN, p.N-n0)
		k := 0
		switch {
		case cols < tileN:
			clear(dst)
		case p.bk == 1 && p.K >= 8:
			k = p.K &^ 7
			pack16(&dst[0], &p.b[n0*p.bn], p.bn, k)
		case p.bn == 1:
			for ; k < p.K; k++ {
				copy(dst[k*tileN:(k+1)*tileN], p.b[k*p.bk+n0:])
			}
		}
		for ; k < p.K; k++ {
			for n := range cols {
				dst[k*tileN+n] = p.b[k*p.bk+(n0+n)*p.bn]
			}
		}
	}
}

// blocked computes chunks of blockM rows by columns columns of c. Panels of b
// before first are read in place.
type blocked struct {
	product
	panels                 []float32
	first, columns, across int
}

func (p *blocked) span(lo, hi int) {
	var packed *[]float32
	if p.ak != 1 || p.K > blockK {
		packed = scratch(blockM*paddedK + 8)
		defer floatsPool.Put(packed)
	}
	var edge [tileM * tileN]float32
	for i := lo; i < hi; i++ {
		m0, n0 := i/p.across*blockM, i%p.across*p.columns
		for k0 := 0; k0 < p.K; k0 += blockK {
			p.block(m0, min(m0+blockM, p.M), n0, min(n0+p.columns, p.N), k0, packed, &edge)
		}
	}
}

// block adds the products over k0 … k0+blockK-1 to rows m0 … m1-1 and columns
// n0 … n1-1 of c.
func (p *blocked) block(m0, m1, n0, n1, k0 int, packed *[]float32, edge *[tileM * tileN]float32) {
	kc := min(blockK, p.K-k0)
	acc := p.acc || k0 > 0
	a, am, ak, step := p.a[m0*p.am+k0*p.ak:], p.am, p.ak, p.am
	if packed != nil {
		a, am, ak, step = p.packA(*packed, m0, m1, k0, kc)
	}
	for n := n0; n < n1; n += tileN {
		var b *float32
		bk := tileN
		if j := n / tileN; j < p.first {
			b, bk = &p.b[k0*p.bk+n], p.bk
		} else {
			b = &p.panels[((j-p.first)*p.K+k0)*tileN]
		}
		for m := m0; m < m1; m += tileM {
			rows, cols, am0 := min(tileM, m1-m), n1-n, &a[(m-m0)*step]
			if cols >= tileN {
				tile(rows, &p.c[m*p.ldc+n], p.ldc, am0, am, ak, b, bk, kc, acc)
				continue
			}
			tile(rows, &edge[0], tileN, am0, am, ak, b, bk, kc, false)
			for r := range rows {
				c := p.c[(m+r)*p.ldc+n : (m+r)*p.ldc+n+cols]
				if acc {
					accumulate(c, edge[r*tileN:r*tileN+cols])
				} else {
					copy(c, edge[r*tileN:])
				}
			}
		}
	}
}

// packA copies a block of a into dst: row by row, or, where k is not its
// contiguous axis, in groups of six rows. It returns the strides of rows and
// of k within a tile, and how far apart, per row, the starts of two tiles are.
func (p *blocked) packA(dst []float32, m0, m1, k0, kc int) (a []float32, am, ak, step int) {
	if p.ak == 1 {
		for m := m0; m < m1; m++ {
			copy(dst[(m-m0)*paddedK:], p.a[m*p.am+k0:m*p.am+k0+kc])
		}
		return dst, paddedK, 1, paddedK
	}
	for m := m0; m < m1; m += tileM {
		pack6(&dst[(m-m0)*blockK], &p.a[m*p.am+k0*p.ak], p.ak, min(tileM, m1-m), kc)
	}
	return dst, 1, tileM, blockK
}

func tile(rows int, c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k int, acc bool) {
	switch rows {
	case 1:
		tile1x16(c, ldc, a, am, ak, b, bk, k, acc)
	case 2:
		tile2x16(c, ldc, a, am, ak, b, bk, k, acc)
	case 3:
		tile3x16(c, ldc, a, am, ak, b, bk, k, acc)
	case 4:
		tile4x16(c, ldc, a, am, ak, b, bk, k, acc)
	case 5:
		tile5x16(c, ldc, a, am, ak, b, bk, k, acc)
	default:
		tile6x16(c, ldc, a, am, ak, b, bk, k, acc)
	}
}

// dotRows is the rows of b in a chunk of a skinny product.
const dotRows = 48

// dotting computes chunks of dotRows columns of c by dot products. For one row
// of a, as in decode, four far rows of b are read at once: far streams raise
// the bandwidth.
type dotting struct {
	product
	chunks int
}

func (p *dotting) span(lo, hi int) {
	n0, n1 := lo*dotRows, min(hi*dotRows, p.N)
	if p.M < 4 {
		for m := range p.M {
			p.column(m, n0, n1)
		}
		return
	}
	n := n0
	for ; n+2 <= n1; n += 2 {
		p.strip(n, 2, dots4x2, dots1x2)
	}
	for ; n < n1; n++ {
		p.strip(n, 1, dots4x1, dots1x1)
	}
}

// column computes c[m, n0 … n1-1] from four streams of b's rows.
func (p *dotting) column(m, n0, n1 int) {
	far := (n1 - n0) / 4
	x := &p.a[m*p.am]
	c := p.c[m*p.ldc:]
	for i := range far {
		n := n0 + i
		dots4x1(&c[n], far, 0, &p.b[n*p.bn], far*p.bn, x, 0, p.K, p.acc)
	}
	for n := n0 + 4*far; n < n1; n++ {
		dots1x1(&c[n], 0, 0, &p.b[n*p.bn], 0, x, 0, p.K, p.acc)
	}
}

type dotsFunc = func(y *float32, ym, yn int, a *float32, lda int, b *float32, ldb, k int, acc bool)

// strip computes all rows of cols columns of c from column n on.
func (p *dotting) strip(n, cols int, four, one dotsFunc) {
	b := &p.b[n*p.bn]
	m := 0
	for ; m+4 <= p.M; m += 4 {
		four(&p.c[m*p.ldc+n], p.ldc, 1, &p.a[m*p.am], p.am, b, p.bn, p.K, p.acc)
	}
	for ; m < p.M; m++ {
		one(&p.c[m*p.ldc+n], p.ldc, 1, &p.a[m*p.am], p.am, b, p.bn, p.K, p.acc)
	}
}
