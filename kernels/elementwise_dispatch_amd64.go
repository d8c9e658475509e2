//go:build !purego

package kernels

import "unsafe"

//go:generate go run -C _asm ./ops -group elementwise -out ../elementwise_amd64.s -stubs ../elementwise_amd64.go -pkg kernels
//go:generate go run -C _asm ./ops -group activation -out ../activation_amd64.s -stubs ../activation_amd64.go -pkg kernels
//go:generate go run -C _asm ./ops -group rows -out ../rows_amd64.s -stubs ../rows_amd64.go -pkg kernels
//go:generate go run -C _asm ./ops -group wkv4 -out ../wkv4_amd64.s -stubs ../wkv4_amd64.go -pkg kernels
//go:generate go run -C _asm ./ops -group attention -out ../attention_amd64.s -stubs ../attention_amd64.go -pkg kernels

// at is the address of x's first float. The callers checked every length.
func at(x []float32) *float32 { return unsafe.SliceData(x) }

func accumulate(y, x []float32) {
	if useAVX2 {
		accumulateAVX2(at(y), at(x), len(y))
		return
	}
	accumulateGeneric(y, x)
}

func tanhSlope(y, h []float32) {
	if useAVX2 {
		tanhSlopeAVX2(at(y), at(h), len(y))
		return
	}
	tanhSlopeGeneric(y, h)
}

func axpy(y, x []float32, a float32) {
	if useAVX2 {
		axpyAVX2(at(y), at(x), a, len(y))
		return
	}
	axpyGeneric(y, x, a)
}

func scale(x []float32, a float32) {
	if useAVX2 {
		scaleAVX2(at(x), a, len(x))
		return
	}
	scaleGeneric(x, a)
}

func columnSums(sum, x []float32, R, stride int) {
	if useAVX2 {
		columnSumsAVX2(at(sum), at(x), R, stride, len(sum))
		return
	}
	columnSumsGeneric(sum, x, R, stride)
}

func sumSquares(x []float32) float64 {
	if useAVX2 {
		return sumSquaresAVX2(at(x), len(x))
	}
	return sumSquaresGeneric(x)
}

func mulAddRest(y, a, b []float32) {
	if useAVX2 {
		mulAddRestAVX2(at(y), at(a), at(b), len(y))
		return
	}
	mulAddRestGeneric(y, a, b)
}

func adamW(p, g, m, v []float32, s *adamScalars) {
	if useAVX2 {
		adamWAVX2(at(p), at(g), at(m), at(v), &s.gscale, len(p))
		return
	}
	adamWGeneric(p, g, m, v, s)
}
