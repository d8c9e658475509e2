package kernels

// WKV6Grad adds the gradients of WKV6 to d, given dy, the gradient of y; any
// field of d may be nil. s0 [B,H,N,N] is the state before the call (nil:
// zeros).
//
// With S the state before a step and G the gradient of the state after it
// (zeros after the last step), per head
//
//	dr[i] += Σ_j dy[j]·S[i,j] + u[i]·k[i]·e       e = Σ_j dy[j]·v[j]
//	dk[i] += Σ_j G[i,j]·v[j]  + u[i]·r[i]·e
//	dv[j] += Σ_i G[i,j]·k[i]  + dy[j]·Σ_i r[i]·u[i]·k[i]
//	dw[i] += e^w[i]·Σ_j G[i,j]·S[i,j];  du[i] += r[i]·k[i]·e
//	G'[i,j] = e^w[i]·G[i,j] + r[i]·dy[j]
//
// dw is computed from Q[i] = Σ_j G[i,j]·S'[i,j], S' the state after the step: Q
// is dw + k·(the sum in dk), and for the step before it is dw + r·(the sum in
// dr). Q is computed from G and S every 64 steps and updated from step to step
// in between. So dw is as exact as Q, and it is 0 where e^w < 2^-24.
func WKV6Grad(d WKV6Inputs, dy, s0 []float32, in WKV6Inputs, B, T, H, N int) {
	wkv6Grad("WKV6Grad", d, dy, s0, in, B, T, H, N, true)
}

// WKV5Grad is WKV6Grad for WKV5: w and dw are [C].
func WKV5Grad(d WKV6Inputs, dy, s0 []float32, in WKV6Inputs, B, T, H, N int) {
	wkv6Grad("WKV5Grad", d, dy, s0, in, B, T, H, N, false)
}

func wkv6Grad(op string, d WKV6Inputs, dy, s0 []float32, in WKV6Inputs, B, T, H, N int, perStep bool) {
	n, C := in.need(op, B, T, H, N, perStep), H*N
	needOrNil(op, "dw", d.W, len(in.W))
	needOrNil(op, "du", d.U, C)
	needOrNil(op, "dr", d.R, n)
	needOrNil(op, "dk", d.K, n)
	needOrNil(op, "dv", d.V, n)
	need(op, "dy", dy, n)
	needOrNil(op, "s0", s0, B*C*N)
	if n == 0 {
		return
	}
	owner, sums := borrow(2 * B * C)
	clear(sums)
	job := wkv6GradJob{d, dy, s0, sums[:B*C], sums[B*C:], wkv6Args{in, T, H, N, perStep}}
	wkv6GradJobs.run(B*H, wkv6Grain(4*T, N), job)
	if !perStep {
		addParts(d.W, job.sumW, B, C)
	}
	addParts(d.U, job.sumU, B, C)
	floatBuffers.Put(owner)
}

// wkv6GradJob stores sums of du, and for WKV5 of dw, for each batch [B,C].
type wkv6GradJob struct {
	d                  WKV6Inputs
	dy, s0, sumW, sumU []float32
	wkv6Args
}

var wkv6GradJobs jobs[wkv6GradJob, *wkv6GradJob]

// wkv6Tape is the scratch of one head between the passes.
type wkv6Tape struct {
	d, gr   []float32 // e^w and sums of dr, [T,N]
	c, e    []float32 // Σ r·u·k and Σ dy·v, [T]
	gk      []float32 // sums of dk or of dv of a chunk, [wkv6Chunk,N]
	s, g    []float32 // states [N,N], transposed
	marks   []float32 // s at the end of each chunk but the last
	q, ones []float32 // [N]
	sink    []float32 // scratch row for nil gradients, [N]
}

func newWKV6Tape(scratch []float32, T, N int) (t wkv6Tape, size int) {
	take := func(n int) []float32 {
		from := size
		if size += n; scratch == nil {
			return nil
		}
		return scratch[from:size]
	}
	t.d, t.gr = take(T*N), take(T*N)
	t.c, t.e = take(T), take(T)
	t.gk = take(wkv6Chunk * N)
	t.s, t.g = take(N*N), take(N*N)
	t.marks = take((T - 1) / wkv6Chunk * N * N)
	t.q, t.ones, t.sink = take(N), take(N), take(N)
	return t, size
}

func (j *wkv6GradJob) span(lo, hi int) {
	_, size := newWKV6Tape(nil, j.T, j.N)
	owner, scratch := borrow(size)
	t, _ := newWKV6Tape(scratch, j.T, j.N)
	fill(t.ones, 1)
	for i := lo; i < hi; i++ {
		j.one(&t, i/j.H, i%j.H)
	}
	floatBuffers.Put(owner)
}

// one computes one head of one sequence.
func (j *wkv6GradJob) one(t *wkv6Tape, batch, h int) {
	at, u := j.head(batch, h, t.ones)
	C, N := j.H*j.N, j.N
	dStride := j.decays(t.d, at, h, 0, j.T)
	wkv6Dots(t.c, j.in.R[at:], u, j.in.K[at:], N, C)
	wkv6Dots(t.e, j.dy[at:], t.ones, j.in.V[at:], N, C)
	q := wkv6Scan{N: N, stride: C, dStride: dStride, outStride: N}
	j.forward(t, q, at, batch*j.H+h)
	j.backKeys(t, q, at, batch, h, u)
	if j.d.V != nil {
		j.backValues(t, q, at)
	}
}

// chunk sets the rows of a, b, x and d in q to those of chunk m.
func (j *wkv6GradJob) chunk(q *wkv6Scan, t *wkv6Tape, m, at int, a, b, x []float32) {
	t0 := m * wkv6Chunk
	row := at + t0*q.stride
	q.T = min(wkv6Chunk, j.T-t0)
	q.a, q.b, q.x, q.d = a[row:], b[row:], x[row:], t.d[t0*q.dStride:]
}

func (j *wkv6GradJob) chunks() int { return (j.T + wkv6Chunk - 1) / wkv6Chunk }

// forward fills t.gr and t.marks.
func (j *wkv6GradJob) forward(t *wkv6Tape, q wkv6Scan, at, state int) {
	N := j.N
	if clear(t.s); j.s0 != nil {
		transpose(t.s, j.s0[state*N*N:][:N*N], N)
	}
	q.s = t.s
	for m := range j.chunks() {
		if m > 0 {
			copy(t.marks[(m-1)*N*N:m*N*N], t.s)
		}
		j.chunk(&q, t, m, at, j.dy, j.in.K, j.in.V)
		q.out = t.gr[m*wkv6Chunk*N:]
		wkv6Keys(&q)
	}
}

// backKeys adds to dr, dk, dw and du.
func (j *wkv6GradJob) backKeys(t *wkv6Tape, q wkv6Scan, at, batch, h int, u []float32) {
	N := j.N
	sums := batch*q.stride + h*N
	clear(t.g)
	q.s, q.out, q.back = t.g, t.gk, true
	for m := j.chunks() - 1; m >= 0; m-- {
		if clear(t.q); m < j.chunks()-1 {
			wkv6Meet(t.q, t.g, t.marks[m*N*N:(m+1)*N*N], N, N)
		}
		j.chunk(&q, t, m, at, j.in.V, j.in.R, j.dy)
		wkv6Keys(&q)
		for i := q.T - 1; i >= 0; i-- {
			step := m*wkv6Chunk + i
			row := at + step*q.stride
			dw := j.sumW[sums : sums+N]
			if j.perStep {
				dw = rowOr(j.d.W, row, t.sink)
			}
			wkv6Join(dw, rowOr(j.d.R, row, t.sink), rowOr(j.d.K, row, t.sink), j.sumU[sums:sums+N], t.q,
				t.gr[step*N:(step+1)*N], t.gk[i*N:(i+1)*N], u, j.in.R[row:row+N], j.in.K[row:row+N], t.d[step*q.dStride:][:N], t.e[step])
		}
	}
}

// rowOr returns a row of x, or sink where x is nil.
func rowOr(x []float32, row int, sink []float32) []float32 {
	if x == nil {
		return sink
	}
	return x[row : row+len(sink)]
}

// backValues adds to dv.
func (j *wkv6GradJob) backValues(t *wkv6Tape, q wkv6Scan, at int) {
	N := j.N
	clear(t.g)
	q.s, q.out, q.back = t.g, t.gk, true
	for m := j.chunks() - 1; m >= 0; m-- {
		j.chunk(&q, t, m, at, j.in.K, j.in.R, j.dy)
		q.c = t.c[m*wkv6Chunk:]
		wkv6Values(&q)
		for i := range q.T {
			row := at + (m*wkv6Chunk+i)*q.stride
			accumulate(j.d.V[row:row+N], t.gk[i*N:(i+1)*N])
		}
	}
}
