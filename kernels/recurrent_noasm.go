//go:build !amd64 || purego

package kernels

// tileN is the columns of a panel; without AVX2 nothing is packed.
const tileN = 16

func (p *product) pack([]float32) { panic("kernels: no AVX2 here") }

func (p *product) panels() { panic("kernels: no AVX2 here") }

func lstmCell(h, c, c0, z []float32, H int) { lstmCellGeneric(h, c, c0, z, H) }

func lstmCellGrad(dx, dc, e, c, c0, z []float32, H int) {
	lstmCellGradGeneric(dx, dc, e, c, c0, z, H)
}

func gruCell(h, q, h0, g, b []float32, H int) { gruCellGeneric(h, q, h0, g, b, H) }

func gruCellGrad(dn, dy, e, h0, q, g []float32, H int) { gruCellGradGeneric(dn, dy, e, h0, q, g, H) }
