package kernels

// WKV6Inputs are the inputs of WKV5 and WKV6, or their gradients; C = H·N.
type WKV6Inputs struct {
	W       []float32 // log-decay, w ≤ 0: [B,T,C], one for every step; for WKV5 [C]
	U       []float32 // [C]: bonus of the present token; nil: ones
	R, K, V []float32 // [B,T,C]: receptance, key and value
}

// WKV6 runs the RWKV-6 recurrence over T steps of H heads of N channels in B
// sequences, leaving y [B,T,C] and updating the state s [B,H,N keys,N values].
// Per head, keys i and values j:
//
//	y_t[j]  = Σ_i r_t[i]·(S[i,j] + u[i]·k_t[i]·v_t[j])
//	S'[i,j] = e^w_t[i]·S[i,j] + k_t[i]·v_t[j]
//
// Cutting a sequence into several calls changes no bit.
// Source: BlinkDL/RWKV-LM RWKV-v5/cuda/wkv6_cuda.cu; arXiv 2404.05892, 4.2.
func WKV6(y, s []float32, in WKV6Inputs, B, T, H, N int) {
	wkv6("WKV6", y, s, in, B, T, H, N, true)
}

// WKV5 is WKV6 with one log-decay for all steps: w is [C].
// Source: BlinkDL/RWKV-LM RWKV-v5/cuda/wkv5_cuda.cu.
func WKV5(y, s []float32, in WKV6Inputs, B, T, H, N int) {
	wkv6("WKV5", y, s, in, B, T, H, N, false)
}

func wkv6(op string, y, s []float32, in WKV6Inputs, B, T, H, N int, perStep bool) {
	n := in.need(op, B, T, H, N, perStep)
	need(op, "y", y, n)
	need(op, "s", s, B*H*N*N)
	if n > 0 {
		wkv6Jobs.run(B*H, wkv6Grain(T, N), wkv6Job{y, s, wkv6Args{in, T, H, N, perStep}})
	}
}

// need checks the inputs that forward and gradient read; it returns the number
// of floats of [B,T,C].
func (in *WKV6Inputs) need(op string, B, T, H, N int, perStep bool) (n int) {
	needDims(op, B, T, H, N)
	C := H * N
	n = B * T * C
	if perStep {
		need(op, "w", in.W, n)
	} else {
		need(op, "w", in.W, C)
	}
	needOrNil(op, "u", in.U, C)
	need(op, "r", in.R, n)
	need(op, "k", in.K, n)
	need(op, "v", in.V, n)
	return n
}

// wkv6Chunk is the number of steps computed at once, whose rows stay in the L1
// cache. It affects the rounding of the gradients.
const wkv6Chunk = 64

// wkv6Grain returns the number of heads in a chunk of work.
func wkv6Grain(T, N int) int { return max(1, blockFloats/max(1, T*N*N)) }

// wkv6Args are the arguments that forward and gradient share.
type wkv6Args struct {
	in      WKV6Inputs
	T, H, N int
	perStep bool // each step has a log-decay of its own
}

// head returns where row 0 of a head begins in [B,T,C], and the bonus of the
// head; ones holds N ones.
func (a *wkv6Args) head(batch, h int, ones []float32) (at int, u []float32) {
	at = (batch*a.T*a.H + h) * a.N
	if a.in.U == nil {
		return at, ones
	}
	return at, a.in.U[h*a.N : (h+1)*a.N]
}

// decays fills d with e^w of steps t0 … t1-1, or with the one row that all
// steps share; it returns the distance between rows.
func (a *wkv6Args) decays(d []float32, at, h, t0, t1 int) (stride int) {
	N := a.N
	if !a.perStep {
		wkv6Decays(d[:N], a.in.W[h*N:], N, 0)
		return 0
	}
	wkv6Decays(d[:(t1-t0)*N], a.in.W[at+t0*a.H*N:], N, a.H*N)
	return N
}

// wkv6Scan is a recurrence of one head over T steps, with back backwards in
// time. Rows of a, b, x lie stride floats apart, rows of d and out dStride and
// outStride.
type wkv6Scan struct {
	out, s, c, a, d, b, x []float32
	T, N                  int
	stride, dStride       int
	outStride             int
	back                  bool
}

type wkv6Job struct {
	y, s []float32
	wkv6Args
}

var wkv6Jobs jobs[wkv6Job, *wkv6Job]

func (j *wkv6Job) span(lo, hi int) {
	N := j.N
	owner, scratch := borrow(wkv6Chunk*(N+1) + N)
	d, c, ones := scratch[:wkv6Chunk*N], scratch[wkv6Chunk*N:wkv6Chunk*(N+1)], scratch[wkv6Chunk*(N+1):]
	fill(ones, 1)
	for i := lo; i < hi; i++ {
		j.one(i/j.H, i%j.H, d, c, ones)
	}
	floatBuffers.Put(owner)
}

// one computes one head of one sequence.
func (j *wkv6Job) one(batch, h int, d, c, ones []float32) {
	at, u := j.head(batch, h, ones)
	C, N := j.H*j.N, j.N
	q := wkv6Scan{s: j.s[(batch*j.H+h)*N*N:][:N*N], c: c, d: d, N: N, stride: C, outStride: C}
	for t0 := 0; t0 < j.T; t0 += wkv6Chunk {
		q.T = min(wkv6Chunk, j.T-t0)
		row := at + t0*C
		if t0 == 0 || j.perStep {
			q.dStride = j.decays(d, at, h, t0, t0+q.T)
		}
		q.out, q.a, q.b, q.x = j.y[row:], j.in.R[row:], j.in.K[row:], j.in.V[row:]
		wkv6Dots(c[:q.T], q.a, u, q.b, N, C)
		wkv6Values(&q)
	}
}

func fill(x []float32, v float32) {
	for i := range x {
		x[i] = v
	}
}
