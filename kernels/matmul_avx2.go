//go:build amd64 && !purego

package kernels

import "sync"

const (
	tileM = 6
	// maxK is the longest k that a tile sums at once. A panel of b then streams
	// from L2; shorter panels that stay in L1 cost more in passes over c.
	maxK = 1024
	// blockFloatsA is the size of a block of a, 192 KiB: it stays in L2.
	blockFloatsA = 48 << 10
	// narrow is the most rows of a that may form one block, of narrowFloats at
	// most. Each thread then packs the panels of b that it uses, and none waits
	// for another's.
	narrow       = 256
	narrowFloats = 128 << 10
	// pad is added to the stride of copied rows, so that rows a power of two
	// apart do not share cache sets.
	pad = 16
	// skinny is the most rows for which packing b costs more than it gains:
	// dot products and tiles then read b in place.
	skinny = 32
	// groupFloats is the largest part of b that is packed before it is used.
	groupFloats = 1 << 22
	// serialWork is the number of multiply-adds up to which one thread is faster.
	serialWork = 1 << 16
)

var (
	packJobs      jobs[packing, *packing]
	rowBlockJobs  jobs[rowBlocks, *rowBlocks]
	columnJobs    jobs[columnBlocks, *columnBlocks]
	transposeJobs jobs[transposing, *transposing]
	dotJobs       jobs[dotting, *dotting]

	packedBs, blocksA, panelsB lender
)

// lender keeps scratch slices of about one size for reuse, so that warm calls
// allocate nothing.
type lender struct{ free sync.Pool }

// borrow returns n floats with undefined contents, and their owner for
// free.Put.
func (l *lender) borrow(n int) (owner *[]float32, x []float32) {
	owner, _ = l.free.Get().(*[]float32)
	if owner == nil {
		owner = new([]float32)
	}
	if cap(*owner) < n {
		*owner = make([]float32, n+n/8) // more, for products that grow by a row a call
	}
	return owner, (*owner)[:n]
}

// multiplyMatricesAVX2 chooses the algorithm: dot products for few rows of
// a·bᵀ, else 6x16 tiles over panels of b. Chunks may depend on the number of
// threads, because the order of an element's sum over k does not depend on
// chunks.
func multiplyMatricesAVX2(p *product) {
	threads := 1
	if p.M*p.N*p.K > serialWork {
		threads = Threads()
	}
	panels := (p.N + tileN - 1) / tileN
	switch {
	case p.ak == 1 && p.bk == 1 && p.M <= skinny:
		chunks := (p.N + dotColumns - 1) / dotColumns
		d := dotting{*p, (chunks + threads - 1) / threads * threads} // the same number for every thread
		if threads > 1 {
			dotJobs.run(d.chunks, 1, d)
		} else {
			d.span(0, d.chunks)
		}
	case p.byColumns():
		p.columns(panels, threads)
	default:
		group := max(1, groupFloats/(p.K*tileN))
		for n := 0; n < panels; n += group {
			q := *p
			q.N = min(group*tileN, p.N-n*tileN)
			q.b, q.c, q.then = p.b[n*tileN*p.bn:], p.c[n*tileN:], p.then.from(n*tileN)
			q.group(min(group, panels-n), threads)
		}
	}
}

// byColumns reports whether all rows form one block of a and threads share the
// columns. A transposed a is copied first, which pays only with many columns.
func (p *product) byColumns() bool { return p.M <= narrow && (p.ak == 1 || p.N >= 4*p.M) }

// blockK is the length of k that a tile sums at once: K in parts of equal size.
func (p *product) blockK() int {
	most := maxK
	if p.byColumns() {
		most = min(maxK, narrowFloats/p.M)
	}
	parts := (p.K + most - 1) / most
	return ((p.K+parts-1)/parts + 7) &^ 7
}

// columns computes a product whose columns are shared among threads, with one
// copy of a transposed a for all.
func (p product) columns(panels, threads int) {
	w := columnBlocks{product: p}
	if threads == 1 {
		w.span(0, panels)
		return
	}
	var owner *[]float32
	if p.ak != 1 {
		tiles := (p.M + tileM - 1) / tileM
		owner, w.shared = packedBs.borrow(p.sharedAt(p.K) + tiles*tileM*pad)
		transposeJobs.run(tiles, max(1, tiles/(perThread*threads)), transposing{p, w.shared})
	}
	columnJobs.run(panels, max(1, panels/(perThread*threads)), w)
	if owner != nil {
		packedBs.free.Put(owner)
	}
}

// group computes a product whose b is packed as a whole first.
func (p product) group(panels, threads int) {
	owner, packed := packedBs.borrow(panels * tileN * p.K)
	rows := min(max(blockFloatsA/p.blockK(), tileM), p.M)
	blocks := (p.M + rows - 1) / rows
	blocks = (blocks + threads - 1) / threads * threads // the same number for every thread
	w, r := packing{p, packed, panels}, rowBlocks{p, packed, panels, blocks}
	if threads > 1 {
		packJobs.run(panels, max(1, panels/(perThread*threads)), w)
		rowBlockJobs.run(blocks, 1, r)
	} else {
		w.span(0, panels)
		r.span(0, blocks)
	}
	packedBs.free.Put(owner)
}

// packing copies panels of b.
type packing struct {
	product
	packed []float32
	panels int
}

func (p *packing) span(lo, hi int) {
	for k0 := 0; k0 < p.K; k0 += p.blockK() {
		kc := min(p.blockK(), p.K-k0)
		to := p.packed[k0*p.panels*tileN+lo*kc*tileN:]
		n := lo * tileN
		p.packB(to, n, min(hi*tileN, p.N)-n, k0, kc)
	}
}

// rowBlocks computes rows of c from packed panels.
type rowBlocks struct {
	product
	packed         []float32
	panels, blocks int
}

// row returns where block i begins.
func (p *rowBlocks) row(i int) int {
	return min(i*((p.M+tileM-1)/tileM)/p.blocks*tileM, p.M)
}

func (p *rowBlocks) span(lo, hi int) {
	for i := lo; i < hi; i++ {
		p.block(p.row(i), p.row(i+1))
	}
}

func (p *rowBlocks) block(m0, m1 int) {
	owner, scratch := blocksA.borrow((m1-m0+tileM)*(p.blockK()+pad) + 8)
	for k0 := 0; k0 < p.K; k0 += p.blockK() {
		kc := min(p.blockK(), p.K-k0)
		a := p.rows(scratch, m0, m1, k0, kc)
		b := p.packed[k0*p.panels*tileN:]
		for i := range p.panels {
			panel, next := b[i*kc*tileN:], b[min(i+1, p.panels-1)*kc*tileN:]
			p.strip(a, m0, m1, i*tileN, panel, tileN, next, k0, kc)
		}
	}
	p.then.rows(p.c, p.ldc, m0, m1, 0, p.N)
	blocksA.free.Put(owner)
}

// columnBlocks computes columns of c for all of its rows.
type columnBlocks struct {
	product
	shared []float32 // blocks of a copied for all chunks, nil: each chunk copies its own
}

func (p *columnBlocks) span(lo, hi int) {
	owner, scratch := blocksA.borrow((p.M+tileM)*(p.blockK()+pad) + 8)
	ownerB, panel := panelsB.borrow(p.blockK() * tileN)
	for k0 := 0; k0 < p.K; k0 += p.blockK() {
		kc := min(p.blockK(), p.K-k0)
		var a aBlock
		if p.shared != nil {
			a = aBlock{p.shared[p.sharedAt(k0):], 1, tileM, kc + pad}
		} else {
			a = p.rows(scratch, 0, p.M, k0, kc)
		}
		for i := lo; i < hi; i++ {
			n := i * tileN
			b, bk := p.b[k0*p.bk+n*p.bn:], p.bk
			if cols := min(tileN, p.N-n); p.bn != 1 || p.M > skinny || cols < tileN {
				p.packB(panel, n, cols, k0, kc)
				b, bk = panel, tileN
			}
			p.strip(a, 0, p.M, n, b, bk, panel, k0, kc)
		}
	}
	p.then.rows(p.c, p.ldc, 0, p.M, lo*tileN, min(hi*tileN, p.N))
	panelsB.free.Put(ownerB)
	blocksA.free.Put(owner)
}

// transposing copies groups of six rows of a transposed a, for all chunks of
// columnBlocks.
type transposing struct {
	product
	shared []float32
}

// sharedAt returns where the shared block of a from k0 on begins.
func (p *product) sharedAt(k0 int) int {
	return (p.M + tileM - 1) / tileM * tileM * (k0 + pad*(k0/p.blockK()))
}

func (p *transposing) span(lo, hi int) {
	m0, m1 := lo*tileM, min(hi*tileM, p.M)
	for k0 := 0; k0 < p.K; k0 += p.blockK() {
		kc := min(p.blockK(), p.K-k0)
		pack6AVX2(&p.shared[p.sharedAt(k0)+m0*(kc+pad)], tileM*(kc+pad), &p.a[m0*p.am+k0*p.ak], p.ak, m1-m0, kc)
	}
}

// aBlock is a block of rows of a, in place or copied: element (m,k) of a tile
// is m·am + k·ak floats from the tile's start, and the tile of row m starts at
// m·step.
type aBlock struct {
	x            []float32
	am, ak, step int
}

// rows returns the block of a at rows m0 … m1-1 over k0 … k0+kc-1. It copies
// the block, in groups of six rows, where k is not the contiguous axis of a and
// where rows are long: parts of rows a power of two apart share cache sets.
func (p *product) rows(scratch []float32, m0, m1, k0, kc int) aBlock {
	x := p.a[m0*p.am+k0*p.ak:]
	switch {
	case p.ak != 1:
		pack6AVX2(&scratch[0], tileM*(kc+pad), &x[0], p.ak, m1-m0, kc)
		return aBlock{scratch, 1, tileM, kc + pad}
	case kc < p.K:
		for m := range m1 - m0 {
			copy(scratch[m*(kc+pad):], x[m*p.am:m*p.am+kc])
		}
		return aBlock{scratch, kc + pad, 1, kc + pad}
	}
	return aBlock{x, p.am, 1, p.am}
}

// strip adds the products of a with one panel of b, [kc,16] with rows bk floats
// apart, to rows m0 … m1-1 of c. Every tile prefetches a quarter of the panel
// at next.
func (p *product) strip(a aBlock, m0, m1, n int, b []float32, bk int, next []float32, k0, kc int) {
	acc, cols := p.acc || k0 > 0, min(tileN, p.N-n)
	var edge [tileM * tileN]float32
	for m := m0; m < m1; m += tileM {
		rows, x := min(tileM, m1-m), &a.x[(m-m0)*a.step]
		ahead := &next[min(m/tileM%4, kc-1)*tileN]
		if cols == tileN {
			tile(rows, &p.c[m*p.ldc+n], p.ldc, x, a.am, a.ak, &b[0], bk, kc, ahead, acc)
			continue
		}
		tile(rows, &edge[0], tileN, x, a.am, a.ak, &b[0], bk, kc, ahead, false)
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

// packB copies cols columns of b from n on over k0 … k0+kc-1 into panels
// [kc,16], filling up the last panel with zeros.
func (p *product) packB(dst []float32, n, cols, k0, kc int) {
	b := p.b[k0*p.bk+n*p.bn:]
	full, k := cols/tileN, 0
	switch {
	case p.bn == 1 && full > 0:
		for i := 0; i < full; i += 4 {
			copy16AVX2(&dst[i*kc*tileN], &b[i*tileN], p.bk, min(4, full-i), kc)
		}
		k = kc
	case kc >= 8:
		k = kc &^ 7
		for i := range full {
			pack16AVX2(&dst[i*kc*tileN], &b[i*tileN*p.bn], p.bn, k)
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

// packSlowly sets dst[k,n] = b[k,n] for k0 ≤ k < k1 and n < cols; rows of dst
// lie tileN floats apart.
func packSlowly(dst, b []float32, bk, bn, cols, k0, k1 int) {
	for k := k0; k < k1; k++ {
		for n := range cols {
			dst[k*tileN+n] = b[k*bk+n*bn]
		}
	}
}

func tile(rows int, c *float32, ldc int, a *float32, am, ak int, b *float32, bk, k int, next *float32, acc bool) {
	switch rows {
	case 1:
		tile1x16AVX2(c, ldc, a, am, ak, b, bk, k, next, acc)
	case 2:
		tile2x16AVX2(c, ldc, a, am, ak, b, bk, k, next, acc)
	case 3:
		tile3x16AVX2(c, ldc, a, am, ak, b, bk, k, next, acc)
	case 4:
		tile4x16AVX2(c, ldc, a, am, ak, b, bk, k, next, acc)
	case 5:
		tile5x16AVX2(c, ldc, a, am, ak, b, bk, k, next, acc)
	default:
		tile6x16AVX2(c, ldc, a, am, ak, b, bk, k, next, acc)
	}
}

// dotColumns is the approximate number of columns of a chunk of a skinny
// product.
const dotColumns = 48

// dotting computes chunks of columns of c by dot products, four rows of a at a
// time and then the remaining rows.
type dotting struct {
	product
	chunks int
}

func multiplyFewAVX2(p *product, lo, hi, chunks int) {
	d := dotting{*p, chunks}
	d.span(lo, hi)
}

func (p *dotting) span(lo, hi int) {
	n0, n1 := p.column(lo, p.chunks), p.column(hi, p.chunks)
	fours := p.M &^ 3
	for m := 0; m < fours; m += 4 {
		a, c := &p.a[m*p.am], p.c[m*p.ldc:]
		n := n0
		for ; n+3 <= n1; n += 3 {
			dots4x3AVX2(&c[n], p.ldc, 1, a, p.am, &p.b[n*p.bn], p.bn, p.K, p.acc)
		}
		for ; n < n1; n++ {
			dots4x1AVX2(&c[n], p.ldc, 1, a, p.am, &p.b[n*p.bn], p.bn, p.K, p.acc)
		}
	}
	for m := fours; m < p.M; m += 2 {
		if m+2 <= p.M {
			p.stream(dots4x2AVX2, dots1x2AVX2, m, n0, n1)
		} else {
			p.stream(dots4x1AVX2, dots1x1AVX2, m, n0, n1)
		}
	}
	p.then.rows(p.c, p.ldc, 0, p.M, n0, n1)
}

type dots = func(y *float32, ym, yn int, a *float32, lda int, b *float32, ldb, k int, acc bool)

// stream computes c[m, n0 … n1-1], of one row or two, reading four rows of b at
// once that lie far apart, as in decode: several streams raise the bandwidth.
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
