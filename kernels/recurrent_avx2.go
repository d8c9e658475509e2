//go:build amd64 && !purego

package kernels

// pack copies b into panels of 16 columns.
func (p *product) pack(to []float32) { p.packB(to, 0, p.N, 0, p.K) }

// panels is a product of few rows whose b is packed, rows in groups alike.
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
