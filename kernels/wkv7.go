package kernels

import "sync"

// WKV7Inputs are the inputs of WKV7, [B,T,H·N] each, or their gradients.
type WKV7Inputs struct {
	W       []float32 // the log-decay of a step, w ≤ 0
	R, K, V []float32 // receptance, key and value
	A, B    []float32 // -κ̂ and κ̂⊙(in-context rate): they remove the value stored under key κ̂
}

// WKV7 runs the RWKV-7 recurrence over T steps of H heads of N channels in B
// sequences, leaving y [B,T,H·N] and updating the state s [B,H,N key,N value],
// which the official files hold transposed. Per head, with key j and value i,
//
//	sa[i] = Σ_j S[j][i]·a[j]
//	S[j][i] = e^w[j]·S[j][i] + v[i]·k[j] + sa[i]·b[j]
//	y[i] = Σ_j S[j][i]·r[j]
//
// sa [B,T,H·N] is an output for WKV7Grad; it may be nil.
// Source: BlinkDL/RWKV-LM RWKV-v7/train_temp/cuda/wkv7_cuda.cu.
func WKV7(y, s, sa []float32, in WKV7Inputs, B, T, H, N int) {
	needDims("WKV7", B, T, H, N)
	in.need("WKV7", B*T*H*N, need)
	need("WKV7", "y", y, B*T*H*N)
	need("WKV7", "s", s, B*H*N*N)
	needOrNil("WKV7", "sa", sa, B*T*H*N)
	if T*N > 0 {
		wkv7Jobs.run(B*H, wkv7Grain(T, N), wkv7Job{y, s, sa, in, T, H, N})
	}
}

func (in *WKV7Inputs) need(op string, n int, need func(op, name string, x []float32, n int)) {
	need(op, "w", in.W, n)
	need(op, "r", in.R, n)
	need(op, "k", in.K, n)
	need(op, "v", in.V, n)
	need(op, "a", in.A, n)
	need(op, "b", in.B, n)
}

// WKV7Grad adds the gradients of WKV7 to d, given dy, the gradient of y, and
// the sa that WKV7 stored; any field of d may be nil. s0 [B,H,N,N] is the state
// before the call (nil: zeros). Per head, backwards in time from G = 0, with S
// the state after a step and S' the state before it,
//
//	dr[j] += Σ_i S[j][i]·dy[i];  D[j][i] = G[j][i] + r[j]·dy[i]
//	dk[j] += Σ_i D[j][i]·v[i];   dv[i] += Σ_j D[j][i]·k[j]
//	db[j] += Σ_i D[j][i]·sa[i];  dsa[i] = Σ_j D[j][i]·b[j]
//	da[j] += Σ_i S'[j][i]·dsa[i];  dw[j] += e^w[j]·Σ_i D[j][i]·S'[j][i]
//	G[j][i] = e^w[j]·D[j][i] + a[j]·dsa[i]
func WKV7Grad(d WKV7Inputs, dy, s0, sa []float32, in WKV7Inputs, B, T, H, N int) {
	needDims("WKV7Grad", B, T, H, N)
	d.need("WKV7Grad: gradient", B*T*H*N, needOrNil)
	in.need("WKV7Grad", B*T*H*N, need)
	need("WKV7Grad", "dy", dy, B*T*H*N)
	need("WKV7Grad", "sa", sa, B*T*H*N)
	needOrNil("WKV7Grad", "s0", s0, B*H*N*N)
	if T*N == 0 {
		return
	}
	wkv7GradJobs.run(B*H, 1, wkv7GradJob{
		[...][]float32{stepDW: d.W, stepDR: d.R, stepDK: d.K, stepDA: d.A, stepDB: d.B, stepDV: d.V},
		[...][]float32{stepW: in.W, stepR: in.R, stepK: in.K, stepA: in.A, stepB: in.B, stepV: in.V, stepSA: sa, stepDY: dy}, s0, T, H, N})
}

// wkv7Chunk is the number of steps whose decays are computed at once, and whose
// rows of a head stay in the L1 cache while blocks of columns pass over them.
const wkv7Chunk = 16

// wkv7Grain returns the number of heads in a chunk of work.
func wkv7Grain(T, N int) int { return max(1, blockFloats/(T*N*N)) }

type wkv7Job struct {
	y, s, sa []float32
	in       WKV7Inputs
	T, H, N  int
}

var wkv7Jobs jobs[wkv7Job, *wkv7Job]

func (j *wkv7Job) span(lo, hi int) {
	N, C := j.N, j.H*j.N
	decay := wkv7Floats.Get().(*[]float32)
	*decay = grown(*decay, wkv7Chunk*N)
	d := *decay
	for i := lo; i < hi; i++ {
		first := i/j.H*j.T*C + i%j.H*N
		s := j.s[i*N*N : (i+1)*N*N]
		for t0 := 0; t0 < j.T; t0 += wkv7Chunk {
			at, T := first+t0*C, min(wkv7Chunk, j.T-t0)
			for t := range T {
				exp(d[t*N:(t+1)*N], j.in.W[at+t*C:at+t*C+N])
			}
			var sa []float32
			if j.sa != nil {
				sa = j.sa[at:]
			}
			if next := min(wkv7Chunk, j.T-t0-T); next > 0 {
				for _, x := range [...][]float32{j.in.W, j.in.R, j.in.K, j.in.V, j.in.A, j.in.B, j.y, j.sa} {
					if x != nil {
						wkv7Fetch(x[at+T*C:], N, next, C)
					}
				}
			}
			wkv7(j.y[at:], s, sa, d, j.in.R[at:], j.in.K[at:], j.in.V[at:], j.in.A[at:], j.in.B[at:], T, C, N)
		}
	}
	wkv7Floats.Put(decay)
}

var wkv7Floats = sync.Pool{New: func() any { return new([]float32) }}
