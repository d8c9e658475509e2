package rwkv

import (
	"slices"
	"testing"
	"time"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/kernels"
)

// BenchmarkLayer4 times one RWKV-4 block forward and backward, on the tape and
// by calling the same kernels on preallocated memory, in turn. It reports the
// overhead of the tape.
func BenchmarkLayer4(b *testing.B) {
	const B, T, C = 8, 256, 256
	m, _, err := arch.New("rwkv4", map[string]any{"dim": C, "layers": 2}, 1)
	if err != nil {
		b.Fatal(err)
	}
	block := m.(*stack[*state4]).Blocks[1].(*block[*state4])
	nn.Walk(block, func(p nn.Param) {
		nn.Uniform(p.Tensor, nn.Rand(1, p.Name), 0.1)
	})
	nn.ZeroGrad(block)
	x := nn.Uniform(nn.New(B, T, C), nn.Rand(2, "x"), 1)
	dy := nn.Uniform(nn.New(B, T, C), nn.Rand(3, "dy"), 1)
	x.Grad = make([]float32, x.Len())

	g := nn.NewGraph()
	tape := func() {
		g.Reset()
		clear(x.Grad)
		y := block.forward(g, x, &state4{})
		g.BackwardFrom(y, dy.Data)
	}
	hand := newHandBlock(block, B, T, C)
	byHand := func() {
		clear(x.Grad)
		hand.forward(x.Data)
		hand.backward(x, dy.Data)
	}
	tape()
	first := slices.Clone(x.Grad)
	byHand()
	if !slices.Equal(first, x.Grad) {
		b.Fatal("the tape and the kernels by hand differ")
	}

	var ratios []float64
	for b.Loop() {
		start := time.Now()
		tape()
		mid := time.Now()
		byHand()
		ratios = append(ratios, float64(mid.Sub(start))/float64(time.Since(mid)))
	}
	slices.Sort(ratios)
	b.ReportMetric(100*(ratios[len(ratios)/2]-1), "tape-%")
	b.ReportMetric(0, "ns/op")
}

// handBlock calls the kernels of one block, forward and backward, on
// preallocated buffers.
type handBlock struct {
	LN1, LN2      *norm
	Att           *timeMix4
	FFN           *channelMix4
	B, T, C, R, F int

	mean1, rstd1, mean2, rstd2                       []float32
	ln1, xk, xv, xr, k, v, r, w, y, gated, x2        []float32
	ln2, fk, fr, kk, act, val, rec                   []float32
	a, b, p                                          []float32
	dln1, dxk, dxv, dxr, dk, dv, dr, dw, dyw, dgated []float32
	dln2, dfk, dfr, dkk, dact, dval, drec, dx2, dffn []float32
}

func newHandBlock(b *block[*state4], B, T, C int) *handBlock {
	h := &handBlock{LN1: b.LN1, LN2: b.LN2, Att: b.Att.(*timeMix4), FFN: b.FFN.(*channelMix4), B: B, T: T, C: C, R: B * T, F: 4 * C}
	for _, p := range []*[]float32{&h.ln1, &h.xk, &h.xv, &h.xr, &h.k, &h.v, &h.r, &h.y, &h.gated, &h.x2,
		&h.ln2, &h.fk, &h.fr, &h.val, &h.rec,
		&h.dln1, &h.dxk, &h.dxv, &h.dxr, &h.dk, &h.dv, &h.dr, &h.dyw, &h.dgated,
		&h.dln2, &h.dfk, &h.dfr, &h.dval, &h.drec, &h.dx2, &h.dffn} {
		*p = make([]float32, h.R*C)
	}
	for _, p := range []*[]float32{&h.kk, &h.act, &h.dkk, &h.dact} {
		*p = make([]float32, h.R*h.F)
	}
	for _, p := range []*[]float32{&h.mean1, &h.rstd1, &h.mean2, &h.rstd2} {
		*p = make([]float32, h.R)
	}
	for _, p := range []*[]float32{&h.w, &h.dw, &h.a, &h.b, &h.p} {
		*p = make([]float32, B*C)
	}
	h.w, h.dw = h.w[:C], h.dw[:C]
	return h
}

func (h *handBlock) norm1(x []float32) kernels.Norm {
	return kernels.Norm{X: x, W: h.LN1.Weight.Data, B: h.LN1.Bias.Data, Mean: h.mean1, RStd: h.rstd1, R: h.R, C: h.C, Eps: 1e-5}
}

func (h *handBlock) norm2() kernels.Norm {
	return kernels.Norm{X: h.x2, W: h.LN2.Weight.Data, B: h.LN2.Bias.Data, Mean: h.mean2, RStd: h.rstd2, R: h.R, C: h.C, Eps: 1e-5}
}

func (h *handBlock) mix1() kernels.MixInputs {
	return kernels.MixInputs{X: h.ln1, Mu: [nn.MaxMixes][]float32{h.Att.MuK.Data, h.Att.MuV.Data, h.Att.MuR.Data}}
}

func (h *handBlock) mix2() kernels.MixInputs {
	return kernels.MixInputs{X: h.ln2, Mu: [nn.MaxMixes][]float32{h.FFN.MuK.Data, h.FFN.MuR.Data}}
}

func (h *handBlock) wkv() kernels.WKV4Inputs {
	return kernels.WKV4Inputs{W: h.w, U: h.Att.First.Data, K: h.k, V: h.v}
}

func (h *handBlock) forward(x []float32) {
	R, C, F, a, f := h.R, h.C, h.F, h.Att, h.FFN
	kernels.LayerNorm(h.ln1, h.norm1(x))
	kernels.ShiftMix([][]float32{h.xk, h.xv, h.xr}, h.mix1(), h.B, h.T, C)
	kernels.MatMulNT(h.k, h.xk, a.Key.Data, R, C, C, false)
	kernels.MatMulNT(h.v, h.xv, a.Value.Data, R, C, C, false)
	kernels.MatMulNT(h.r, h.xr, a.Receptance.Data, R, C, C, false)
	kernels.NegExp(h.w, a.Decay.Data)
	clear(h.a)
	clear(h.b)
	for i := range h.p {
		h.p[i] = -1e30
	}
	kernels.WKV4(h.y, kernels.WKV4State{A: h.a, B: h.b, P: h.p}, h.wkv(), h.B, h.T, C)
	kernels.SigmoidMul(h.gated, h.r, h.y)
	kernels.MatMulNTThen(h.x2, h.gated, a.Output.Data, R, C, C, kernels.Epilogue{Residual: x})

	kernels.LayerNorm(h.ln2, h.norm2())
	kernels.ShiftMix([][]float32{h.fk, h.fr}, h.mix2(), h.B, h.T, C)
	kernels.MatMulNTThen(h.act, h.fk, f.Key.Data, R, F, C, kernels.Epilogue{Raw: h.kk, F: kernels.ActReLUSq})
	kernels.MatMulNT(h.rec, h.fr, f.Receptance.Data, R, C, C, false)
	kernels.MatMulNTThen(h.dffn, h.act, f.Value.Data, R, C, F, kernels.Epilogue{Raw: h.val, Gate: h.rec, Residual: h.x2}) // the block's output, which nothing here reads
}

func (h *handBlock) backward(x *nn.Tensor, dy []float32) {
	R, C, F, a, f := h.R, h.C, h.F, h.Att, h.FFN
	for _, d := range [][]float32{h.dln1, h.dk, h.dv, h.dr, h.dyw, h.dw, h.dln2, h.dval, h.drec, h.dkk} {
		clear(d)
	}
	copy(h.dffn, dy)
	copy(h.dx2, dy)
	kernels.SigmoidMulGrad(h.drec, h.dval, h.dffn, h.rec, h.val)
	kernels.MatMulNN(h.dact, h.dval, f.Value.Data, R, F, C, false)
	kernels.MatMulTN(f.Value.Grad, h.dval, h.act, C, F, R, true)
	kernels.MatMulNN(h.dfr, h.drec, f.Receptance.Data, R, C, C, false)
	kernels.MatMulTN(f.Receptance.Grad, h.drec, h.fr, C, C, R, true)
	kernels.ReLUSqGrad(h.dkk, h.dact, h.kk)
	kernels.MatMulNN(h.dfk, h.dkk, f.Key.Data, R, C, F, false)
	kernels.MatMulTN(f.Key.Grad, h.dkk, h.fk, F, C, R, true)
	kernels.ShiftMixGrad(kernels.MixInputs{X: h.dln2, Mu: [nn.MaxMixes][]float32{f.MuK.Grad, f.MuR.Grad}}, [][]float32{h.dfk, h.dfr}, h.mix2(), h.B, h.T, C)
	kernels.LayerNormGrad(h.dx2, h.LN2.Weight.Grad, h.LN2.Bias.Grad, h.dln2, h.norm2())

	kernels.Accumulate(x.Grad, h.dx2)
	kernels.MatMulNN(h.dgated, h.dx2, a.Output.Data, R, C, C, false)
	kernels.MatMulTN(a.Output.Grad, h.dx2, h.gated, C, C, R, true)
	kernels.SigmoidMulGrad(h.dr, h.dyw, h.dgated, h.r, h.y)
	kernels.WKV4Grad(kernels.WKV4Inputs{W: h.dw, U: a.First.Grad, K: h.dk, V: h.dv}, h.dyw, kernels.WKV4State{}, h.wkv(), h.B, h.T, C)
	kernels.NegExpGrad(a.Decay.Grad, h.dw, h.w)
	h.projectionGrad(a.Receptance, h.dr, h.xr, h.dxr)
	h.projectionGrad(a.Value, h.dv, h.xv, h.dxv)
	h.projectionGrad(a.Key, h.dk, h.xk, h.dxk)
	kernels.ShiftMixGrad(kernels.MixInputs{X: h.dln1, Mu: [nn.MaxMixes][]float32{a.MuK.Grad, a.MuV.Grad, a.MuR.Grad}}, [][]float32{h.dxk, h.dxv, h.dxr}, h.mix1(), h.B, h.T, C)
	kernels.LayerNormGrad(x.Grad, h.LN1.Weight.Grad, h.LN1.Bias.Grad, h.dln1, h.norm1(x.Data))
}

// projectionGrad computes the gradients of a [C,C] projection of the time
// mixing.
func (h *handBlock) projectionGrad(w *nn.Tensor, dy, x, dx []float32) {
	kernels.MatMulNN(dx, dy, w.Data, h.R, h.C, h.C, false)
	kernels.MatMulTN(w.Grad, dy, x, h.C, h.C, h.R, true)
}
