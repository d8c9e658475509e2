package kernels

import "sync"

// WKV7 runs the RWKV-7 recurrence over T steps of H heads of N channels in B
// sequences, updating the state s. Per head, with key j and value i,
//
//	sa[i] = Σ_j S[j][i]·a[j]
//	S[j][i] = e^w[j]·S[j][i] + v[i]·k[j] + sa[i]·b[j]
//	y[i] = Σ_j S[j][i]·r[j]
//
// w ≤ 0 is the log-decay of a step; a = -κ̂ and b = κ̂⊙(in-context rate) remove
// from S what the key κ̂ holds. y, sa, w, r, k, v, a, b are [B,T,H·N], s is
// [B,H,N key,N value]: the official files hold it transposed. sa is what
// WKV7Grad wants to know; nil: it is not kept.
// Source: BlinkDL/RWKV-LM RWKV-v7/train_temp/cuda/wkv7_cuda.cu.
func WKV7(y, s, sa, w, r, k, v, a, b []float32, B, T, H, N int) {
	needDims("WKV7", B, T, H, N)
	need("WKV7", "s", s, B*H*N*N)
	needOrNil("WKV7", "sa", sa, B*T*H*N)
	for _, x := range [...]namedFloats{{"y", y}, {"w", w}, {"r", r}, {"k", k}, {"v", v}, {"a", a}, {"b", b}} {
		need("WKV7", x.name, x.x, B*T*H*N)
	}
	if T*N == 0 {
		return
	}
	wkv7Jobs.run(B*H, wkv7Grain(T, N), wkv7Job{y, s, sa, w, r, k, v, a, b, T, H, N})
}

// WKV7Grad adds the gradients of WKV7 to dw, dr, dk, dv, da, db [B,T,H·N],
// given that of y and the sa that WKV7 kept. s0 [B,H,N,N] is the state before
// the call (nil: zeros); no gradient flows into it. Any of the gradients may
// be nil. Per head, backwards in time from G = 0, with S the state after a step
// and S' the one before,
//
//	dr[j] += Σ_i S[j][i]·dy[i];  D[j][i] = G[j][i] + r[j]·dy[i]
//	dk[j] += Σ_i D[j][i]·v[i];   dv[i] += Σ_j D[j][i]·k[j]
//	db[j] += Σ_i D[j][i]·sa[i];  dsa[i] = Σ_j D[j][i]·b[j]
//	da[j] += Σ_i S'[j][i]·dsa[i];  dw[j] += e^w[j]·Σ_i D[j][i]·S'[j][i]
//	G[j][i] = e^w[j]·D[j][i] + a[j]·dsa[i]
func WKV7Grad(dw, dr, dk, dv, da, db, dy, s0, sa, w, r, k, v, a, b []float32, B, T, H, N int) {
	needDims("WKV7Grad", B, T, H, N)
	needOrNil("WKV7Grad", "s0", s0, B*H*N*N)
	for _, x := range [...]namedFloats{{"dw", dw}, {"dr", dr}, {"dk", dk}, {"dv", dv}, {"da", da}, {"db", db}} {
		needOrNil("WKV7Grad", x.name, x.x, B*T*H*N)
	}
	for _, x := range [...]namedFloats{{"dy", dy}, {"sa", sa}, {"w", w}, {"r", r}, {"k", k}, {"v", v}, {"a", a}, {"b", b}} {
		need("WKV7Grad", x.name, x.x, B*T*H*N)
	}
	if T*N == 0 {
		return
	}
	wkv7GradJobs.run(B*H, 1, wkv7GradJob{
		[...][]float32{stepDW: dw, stepDR: dr, stepDK: dk, stepDA: da, stepDB: db, stepDV: dv},
		[...][]float32{stepW: w, stepR: r, stepK: k, stepA: a, stepB: b, stepV: v, stepSA: sa, stepDY: dy}, s0, T, H, N})
}

type namedFloats struct {
	name string
	x    []float32
}

// wkv7Chunk is the steps whose decays are computed at once, and whose rows of
// a head stay in the first-level cache while blocks of columns go over them.
const wkv7Chunk = 16

// wkv7Grain returns how many heads make one chunk of work.
func wkv7Grain(T, N int) int { return max(1, blockFloats/(T*N*N)) }

type wkv7Job struct {
	y, s, sa, w, r, k, v, a, b []float32
	T, H, N                    int
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
				exp(d[t*N:(t+1)*N], j.w[at+t*C:at+t*C+N])
			}
			var sa []float32
			if j.sa != nil {
				sa = j.sa[at:]
			}
			if next := min(wkv7Chunk, j.T-t0-T); next > 0 {
				for _, x := range [...][]float32{j.w, j.r, j.k, j.v, j.a, j.b, j.y, j.sa} {
					if x != nil {
						wkv7Fetch(x[at+T*C:], N, next, C)
					}
				}
			}
			wkv7(j.y[at:], s, sa, d, j.r[at:], j.k[at:], j.v[at:], j.a[at:], j.b[at:], T, C, N)
		}
	}
	wkv7Floats.Put(decay)
}

var wkv7Floats = sync.Pool{New: func() any { return new([]float32) }}
