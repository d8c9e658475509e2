//go:build !purego

package kernels

//go:generate go run -C _asm ./ops -group recurrent -out ../recurrent_amd64.s -stubs ../recurrent_amd64.go -pkg kernels

func lstmCell(h, c, c0, z []float32, H int) {
	if useAVX2 {
		lstmCellAVX2(at(h), at(c), at(c0), at(z), at(z[H:]), at(z[2*H:]), at(z[3*H:]), len(h))
		return
	}
	lstmCellGeneric(h, c, c0, z, H)
}

func lstmCellGrad(dx, dc, e, c, c0, z []float32, H int) {
	if useAVX2 {
		lstmOutGradAVX2(at(dx[3*H:]), at(dc), at(e), at(c), at(z[3*H:]), len(e))
		lstmCellGradAVX2(at(dx), at(dx[H:]), at(dx[2*H:]), at(dc), at(c0), at(z), at(z[H:]), at(z[2*H:]), len(e))
		return
	}
	lstmCellGradGeneric(dx, dc, e, c, c0, z, H)
}

func gruCell(h, q, h0, g, b []float32, H int) {
	if useAVX2 {
		gruCellAVX2(at(h), at(q), at(h0), at(g), at(g[H:]), at(g[2*H:]), at(b), at(b[H:]), at(b[2*H:]), len(h))
		return
	}
	gruCellGeneric(h, q, h0, g, b, H)
}

func gruCellGrad(dn, dy, e, h0, q, g []float32, H int) {
	if useAVX2 {
		gruCellGradAVX2(at(dn), at(dy), at(dy[H:]), at(dy[2*H:]), at(e), at(h0), at(q), at(g), at(g[H:]), at(g[2*H:]), len(e))
		return
	}
	gruCellGradGeneric(dn, dy, e, h0, q, g, H)
}
