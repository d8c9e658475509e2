package kernels

// Activation is the elementwise function f of an Epilogue.
type Activation uint8

// The activations, each the function of that name. ActDecay7 is -e^(-1/2)·σ,
// the log-decay of RWKV-7.
const (
	Identity Activation = iota
	ActReLUSq
	ActGELU
	ActGELUTanh
	ActReLU
	ActSiLU
	ActTanh
	ActSigmoid
	ActNegExp
	ActDecay7
)

// decay7 is the lower bound of the log-decay of RWKV-7.
const decay7 = -0.60653065971263342360 // -e^(-1/2)

// ByValue reports whether Grad takes the value f(x) in place of x.
func (f Activation) ByValue() bool { return f >= ActTanh }

// Grad is dx[i] += dy[i]·f'(x[i]); where f is ByValue, x holds f(x).
func (f Activation) Grad(dx, dy, x []float32) {
	switch f {
	case Identity:
		Accumulate(dx, dy)
	case ActReLUSq:
		ReLUSqGrad(dx, dy, x)
	case ActGELU:
		GELUGrad(dx, dy, x)
	case ActGELUTanh:
		GELUTanhGrad(dx, dy, x)
	case ActReLU:
		mapGrad("ReLUGrad", reluGrad, dx, dy, x)
	case ActSiLU:
		SiLUGrad(dx, dy, x)
	case ActTanh:
		TanhGrad(dx, dy, x)
	case ActSigmoid:
		mapGrad("SigmoidGrad", sigmoidGrad, dx, dy, x)
	case ActNegExp:
		NegExpGrad(dx, dy, x)
	case ActDecay7:
		mapGrad("Decay7Grad", decay7Grad, dx, dy, x)
	}
}

func sigmoidGrad(dx, dy, y []float32) { curveGrad(dx, dy, y, 1) }
func decay7Grad(dx, dy, y []float32)  { curveGrad(dx, dy, y, decay7) }

func (f Activation) span(y, x []float32) {
	switch f {
	case ActReLUSq:
		reluSq(y, x)
	case ActGELU:
		gelu(y, x)
	case ActGELUTanh:
		geluTanh(y, x)
	case ActReLU:
		relu(y, x)
	case ActSiLU:
		silu(y, x)
	case ActTanh:
		tanh(y, x)
	case ActSigmoid:
		sigmoid(y, x)
	case ActNegExp:
		negExp(y, x)
	case ActDecay7:
		sigmoid(y, x)
		scale(y, decay7)
	}
}

// Epilogue is what is applied to the elements of a product c[M,N] once their
// sums are complete, while they are in the cache. Nil parts are left out:
//
//	c += bias[n];  raw = c;  c = f(c);  c = σ(gate)·c;  c += residual
//
// bias is [N], the others are [M,N]; raw is an output, for the gradient. The
// values equal those of the separate operations to the bit.
type Epilogue struct {
	Bias, Raw      []float32
	F              Activation
	Gate, Residual []float32
}

func (e *Epilogue) need(op string, M, N int) {
	needOrNil(op, "bias", e.Bias, N)
	needOrNil(op, "raw", e.Raw, M*N)
	needOrNil(op, "gate", e.Gate, M*N)
	needOrNil(op, "residual", e.Residual, M*N)
}

func (e *Epilogue) empty() bool {
	return e.Bias == nil && e.Raw == nil && e.F == Identity && e.Gate == nil && e.Residual == nil
}

// from returns e for the columns from n on.
func (e Epilogue) from(n int) Epilogue {
	for _, x := range []*[]float32{&e.Bias, &e.Raw, &e.Gate, &e.Residual} {
		if *x != nil {
			*x = (*x)[n:]
		}
	}
	return e
}

// rows applies e to columns n0 … n1-1 of rows m0 … m1-1, which lie ld floats
// apart.
func (e *Epilogue) rows(c []float32, ld, m0, m1, n0, n1 int) {
	if e.empty() {
		return
	}
	for m := m0; m < m1; m++ {
		lo, hi := m*ld+n0, m*ld+n1
		y := c[lo:hi]
		if e.Bias != nil {
			accumulate(y, e.Bias[n0:n1])
		}
		if e.Raw != nil {
			copy(e.Raw[lo:hi], y)
		}
		e.F.span(y, y)
		if e.Gate != nil {
			sigmoidMul(y, e.Gate[lo:hi], y)
		}
		if e.Residual != nil {
			accumulate(y, e.Residual[lo:hi])
		}
	}
}

// Apply applies e to a product c[M,N] that is already computed.
func (e Epilogue) Apply(c []float32, M, N int) {
	needDims("Epilogue", M, N)
	need("Epilogue", "c", c, M*N)
	e.need("Epilogue", M, N)
	if !e.empty() {
		epilogueJobs.run(M, rowGrain(N), epilogueJob{e, c, N})
	}
}

type epilogueJob struct {
	Epilogue
	c []float32
	N int
}

var epilogueJobs jobs[epilogueJob, *epilogueJob]

func (f *epilogueJob) span(lo, hi int) { f.rows(f.c, f.N, lo, hi, 0, f.N) }
