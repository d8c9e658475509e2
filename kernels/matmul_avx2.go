//go:build amd64 && !purego

package kernels

import "sync"

const (
	tileM, tileN = 6, 16
	blockM       = 192 // rows of a chunk: with blockK floats each they stay in L2
	blockK       = 256 // a panel of b, blockK·16 floats, stays in L1
	blockN       = 64  // columns of b that are packed at once, whole cache lines
	minChunks    = 12  // enough for threads to finish together
	// skinny is the most rows for which packing b costs more than it gains:
	// dot products and tiles then read b in place.
	skinny = 32
	// paddedK is the row length of a copied block of a: rows a power of two
	// apart would share the sets of the first-level cache.
	paddedK = blockK + 16
	// serialWork is the multiply-adds that are not worth a second thread.
	serialWork = 1 << 16
)

var (
	blocks  jobs[blocked, *blocked]
	skinnys jobs[dotting, *dotting]
	packs   = sync.Pool{New: func() any { return new(packed) }}
)

// packed is what one chunk copies: a block of a, panels of b, and the tile at
// an edge of c.
type packed struct {
	a    [blockM * paddedK]float32
	b    [blockK * blockN]float32
	edge [tileM * tileN]float32
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
	panels, rows := (p.N+tileN-1)/tileN, (p.M+blockM-1)/blockM
	across := min(panels, (minChunks+rows-1)/rows)
	columns := (panels + across - 1) / across * tileN
	work := blocked{product: p, columns: columns, across: (p.N + columns - 1) / columns}
	if threaded {
		blocks.run(work.across*rows, 1, work)
	} else {
		work.span(0, work.across*rows)
	}
}

// blocked computes chunks of blockM rows by columns columns of c.
type blocked struct {
	product
	columns, across int
}

func (p *blocked) span(lo, hi int) {
	s := packs.Get().(*packed)
	for i := lo; i < hi; i++ {
		m0, n0 := i/p.across*blockM, i%p.across*p.columns
		for k0 := 0; k0 < p.K; k0 += blockK {
			p.block(s, m0, min(m0+blockM, p.M), n0, min(n0+p.columns, p.N), k0)
		}
	}
	packs.Put(s)
}

// block adds the products over k0 … k0+blockK-1 to rows m0 … m1-1 and columns
// n0 … n1-1 of c.
func (p *blocked) block(s *packed, m0, m1, n0, n1, k0 int) {
	kc := min(blockK, p.K-k0)
	acc := p.acc || k0 > 0
	a, am, ak, step := p.a[m0*p.am+k0*p.ak:], p.am, p.ak, p.am
	if p.ak != 1 || p.K > blockK {
		a, am, ak, step = p.packA(s.a[:], m0, m1, k0, kc)
	}
	for n := n0; n < n1; n += blockN {
		cols := min(blockN, n1-n)
		b, bk, far := p.b[k0*p.bk+n*p.bn:], p.bk, tileN
		if p.bn != 1 || p.M > skinny || cols%tileN != 0 {
			p.packB(&s.b, n, cols, k0, kc)
			b, bk, far = s.b[:], tileN, kc*tileN
		}
		for i := 0; i < cols; i += tileN {
			p.strip(s, m0, m1, n+i, min(tileN, cols-i), a, am, ak, step, &b[i/tileN*far], bk, kc, acc)
		}
	}
}

// strip is block for one panel of b.
func (p *blocked) strip(s *packed, m0, m1, n, cols int, a []float32, am, ak, step int, b *float32, bk, kc int, acc bool) {
	for m := m0; m < m1; m += tileM {
		rows, am0 := min(tileM, m1-m), &a[(m-m0)*step]
		if cols == tileN {
			tile(rows, &p.c[m*p.ldc+n], p.ldc, am0, am, ak, b, bk, kc, acc)
			continue
		}
		tile(rows, &s.edge[0], tileN, am0, am, ak, b, bk, kc, false)
		for r := range rows {
			c := p.c[(m+r)*p.ldc+n : (m+r)*p.ldc+n+cols]
			if acc {
				accumulate(c, s.edge[r*tileN:r*tileN+cols])
			} else {
				copy(c, s.edge[r*tileN:])
			}
		}
	}
}

// packA copies a block of a into dst: row by row, or, where k is not its
// contiguous axis, in groups of six rows. It returns the strides of rows and
// of k within a tile, and how far apart, per row, the starts of two tiles are.
func (p *blocked) packA(dst []float32, m0, m1, k0, kc int) (a []float32, am, ak, step int) {
	if p.ak != 1 {
		pack6(&dst[0], tileM*paddedK, &p.a[m0*p.am+k0*p.ak], p.ak, m1-m0, kc)
		return dst, 1, tileM, paddedK
	}
	for m := m0; m < m1; m++ {
		copy(dst[(m-m0)*paddedK:], p.a[m*p.am+k0:m*p.am+k0+kc])
	}
	return dst, paddedK, 1, paddedK
}

// packB copies cols columns of b from n on over k0 … k0+kc-1 into panels of
// [kc,16], with zeros where the last has no more columns.
func (p *blocked) packB(dst *[blockK * blockN]float32, n, cols, k0, kc int) {
	b := p.b[k0*p.bk+n*p.bn:]
	full, k := cols/tileN, 0
	switch {
	case p.bn == 1 && full > 0:
		copy16(&dst[0], &b[0], p.bk, full, kc)
		k = kc
	case kc >= 8:
		k = kc &^ 7
		for i := range full {
			pack16(&dst[i*kc*tileN], &b[i*tileN*p.bn], p.bn, k)
		}
	}
	for i := range full {
		packSlowly(dst[i*kc*tileN:(i+1)*kc*tileN], b[i*tileN*p.bn:], p.bk, p.bn, tileN, k, kc)
	}
	if rest := cols % tileN; rest > 0 {
		last := dst[full*kc*tileN : (full+1)*kc*tileN]
		clear(last)
		packSlowly(last, b[full*tileN*p.bn:], p.bk, p.bn, rest, 0, kc)
	}
}

// packSlowly writes dst[k,n] = b[k,n], rows of dst tileN floats apart, for
// k0 ≤ k < k1 and n < cols.
func packSlowly(dst, b []float32, bk, bn, cols, k0, k1 int) {
	for k := k0; k < k1; k++ {
		for n := range cols {
			dst[k*tileN+n] = b[k*bk+n*bn]
		}
	}
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

// dotting computes chunks of dotRows columns of c by dot products, four rows
// of a at a time and then what is left of them.
type dotting struct {
	product
	chunks int
}

func (p *dotting) span(lo, hi int) {
	n0, n1 := lo*dotRows, min(hi*dotRows, p.N)
	fours := p.M &^ 3
	n := n0
	for ; n+2 <= n1; n += 2 {
		p.strip(dots4x2, n, fours)
	}
	if n < n1 {
		p.strip(dots4x1, n, fours)
	}
	for m := fours; m < p.M; m += 2 {
		if m+2 <= p.M {
			p.stream(dots4x2, dots1x2, m, n0, n1)
		} else {
			p.stream(dots4x1, dots1x1, m, n0, n1)
		}
	}
}

type dots = func(y *float32, ym, yn int, a *float32, lda int, b *float32, ldb, k int, acc bool)

// strip computes the first rows of a column or two of c, from column n on.
func (p *dotting) strip(four dots, n, rows int) {
	for m := 0; m < rows; m += 4 {
		four(&p.c[m*p.ldc+n], p.ldc, 1, &p.a[m*p.am], p.am, &p.b[n*p.bn], p.bn, p.K, p.acc)
	}
}

// stream computes c[m, n0 … n1-1], or two rows of it, reading four far rows of
// b at once, as in decode: far streams raise the bandwidth.
func (p *dotting) stream(four, one dots, m, n0, n1 int) {
	far := (n1 - n0) / 4
	x, c := &p.a[m*p.am], p.c[m*p.ldc:]
	for n := n0; n < n0+far; n++ {
		four(&c[n], far, p.ldc, &p.b[n*p.bn], far*p.bn, x, p.am, p.K, p.acc)
	}
	for n := n0 + 4*far; n < n1; n++ {
		one(&c[n], 0, p.ldc, &p.b[n*p.bn], 0, x, p.am, p.K, p.acc)
	}
}
