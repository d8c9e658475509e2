//go:build amd64 && !purego

package kernels

// packHiddenAVX2 decides by the shapes alone whether to pack, since packed and
// unpacked products round differently.
//
// Note: a transposed matrix must be packed, unless there is only one step, which
// does not multiply by it.
func packHiddenAVX2(m *hidden, blocks, rows, steps int) {
	if m.bk != 1 && steps > 1 || rows >= 4 && steps >= 4 {
		m.packed, _ = borrow(blocks * m.blockSize())
		hiddenBlocks.run(blocks, 1, hiddenBlock{*m})
	}
}

// blockSize is the number of floats of a packed block.
func (m *hidden) blockSize() int { return (m.n + tileN - 1) / tileN * tileN * m.K }

// hiddenBlock packs blocks of a hidden matrix into panels of 16 columns.
type hiddenBlock struct{ hidden }

var hiddenBlocks jobs[hiddenBlock, *hiddenBlock]

func (h *hiddenBlock) span(lo, hi int) {
	for ; lo < hi; lo++ {
		p := product{b: h.w[lo*h.n*h.bn:], bk: h.bk, bn: h.bn, N: h.n, K: h.K}
		p.packB((*h.packed)[lo*h.blockSize():], 0, p.N, 0, p.K)
	}
}

func addHiddenAVX2(m *hidden, p *product, block, from int) {
	if m.packed == nil {
		addHiddenGeneric(m, p, block, from)
		return
	}
	p.b = (*m.packed)[block*m.blockSize()+from*m.K:]
	p.panels()
}

// panels computes a product of few rows whose b is packed, in groups of about
// equally many rows.
func (p *product) panels() {
	groups := (p.M + tileM - 1) / tileM
	var edge [tileM * tileN]float32
	for n := 0; n < p.N; n += tileN {
		panel, cols := p.b[n*p.K:], min(tileN, p.N-n)
		ahead := &p.b[min(n+tileN, (p.N-1)/tileN*tileN)*p.K]
		for g := range groups {
			m := g * p.M / groups
			rows, c := (g+1)*p.M/groups-m, p.c[m*p.ldc+n:]
			if cols == tileN {
				tile(rows, &c[0], p.ldc, &p.a[m*p.am], p.am, p.ak, &panel[0], tileN, p.K, ahead, p.acc)
				continue
			}
			tile(rows, &edge[0], tileN, &p.a[m*p.am], p.am, p.ak, &panel[0], tileN, p.K, ahead, false)
			for r := range rows {
				to := c[r*p.ldc : r*p.ldc+cols]
				if p.acc {
					accumulate(to, edge[r*tileN:r*tileN+cols])
				} else {
					copy(to, edge[r*tileN:])
				}
			}
		}
	}
}

func lstmCellGradAVX2(dx, dc, e, c, c0, z []float32, H int) {
	lstmOutGradAVX2(at(dx[3*H:]), at(dc), at(e), at(c), at(z[3*H:]), len(e))
	lstmInGradAVX2(at(dx), at(dx[H:]), at(dx[2*H:]), at(dc), at(c0), at(z), at(z[H:]), at(z[2*H:]), len(e))
}
