package kernels

// Keys7Inputs are the inputs of Keys7 for R tokens of H heads of N channels, or
// their gradients. Parts may be absent: a nil A stands for 1, and then KA and
// the output Key are nil too; with a nil KK the outputs Remove and Replace are
// nil.
type Keys7Inputs struct {
	K, A   []float32 // [R,H·N]: key and in-context rate
	KK, KA []float32 // [H·N]: weights of the removal key and of the in-context rate
}

// Keys7Outputs are the outputs of Keys7, [R,H·N] each, or their gradients.
type Keys7Outputs struct{ Remove, Replace, Key []float32 }

// Keys7 computes the keys of RWKV-7's memory:
//
//	κ = k·kk;  κ̂ = κ / max(‖κ‖ of the head, 1e-12)
//	remove = -κ̂;  replace = κ̂·a;  key = k·(1 + (a-1)·ka)
//
// scale [R,H] receives 1/max(‖κ‖, 1e-12) for the gradient and may be nil.
// Source: BlinkDL/RWKV-LM RWKV-v7/train_temp/src/model.py, RWKV_Tmix_x070.
func Keys7(out Keys7Outputs, scale []float32, in Keys7Inputs, R, H, N int) {
	j := keys7Job{out, scale, in, H, N}
	j.need("Keys7", R)
	if R*H*N > 0 {
		keys7Jobs.run(R, rowGrain(H*N), j)
	}
}

// Keys7Grad is, with dκ̂ = a·dreplace - dremove,
//
//	dκ = (dκ̂ - κ̂·Σ κ̂·dκ̂)·scale;  dk += dκ·kk + dkey·(1 + (a-1)·ka);  dkk += Σ_r dκ·k
//	da += dreplace·κ̂ + dkey·k·ka;  dka += Σ_r dkey·k·(a-1)
//
// given the remove and scale that Keys7 computed. What was nil there is nil
// here; dkk and dka may be nil in any case.
func Keys7Grad(d Keys7Inputs, dout Keys7Outputs, remove, scale []float32, in Keys7Inputs, R, H, N int) {
	C := H * N
	j := keys7GradJob{d: d, remove: remove, keys7Job: keys7Job{dout, scale, in, H, N}}
	j.need("Keys7Grad", R)
	need("Keys7Grad", "dk", d.K, R*C)
	if in.A != nil {
		need("Keys7Grad", "da", d.A, R*C)
	}
	if in.KK != nil {
		need("Keys7Grad", "remove", remove, R*C)
		need("Keys7Grad", "scale", scale, R*H)
	}
	needOrNil("Keys7Grad", "dkk", d.KK, C)
	needOrNil("Keys7Grad", "dka", d.KA, C)
	if R*C == 0 {
		return
	}
	j.rows = partRows(R, 2*C)
	n := (R + j.rows - 1) / j.rows
	owner, parts := borrow(n * 2 * C)
	j.parts = parts
	keys7GradJobs.run(R, j.rows, j)
	addParts(d.KK, parts, n, 2*C)
	addParts(d.KA, parts[C:], n, 2*C)
	floatBuffers.Put(owner)
}

type keys7Job struct {
	out   Keys7Outputs
	scale []float32
	in    Keys7Inputs
	H, N  int
}

func (j *keys7Job) need(op string, R int) {
	C := j.H * j.N
	needDims(op, R, j.H, j.N)
	need(op, "k", j.in.K, R*C)
	if j.in.KK != nil {
		need(op, "kk", j.in.KK, C)
		need(op, "remove", j.out.Remove, R*C)
		need(op, "replace", j.out.Replace, R*C)
		needOrNil(op, "scale", j.scale, R*j.H)
	}
	if j.in.A != nil {
		need(op, "a", j.in.A, R*C)
		need(op, "ka", j.in.KA, C)
		need(op, "key", j.out.Key, R*C)
	}
}

var keys7Jobs jobs[keys7Job, *keys7Job]

func (j *keys7Job) span(lo, hi int) {
	C := j.H * j.N
	for r := lo; r < hi; r++ {
		for h := range j.H {
			at, c := r*C+h*j.N, h*j.N
			end, to := at+j.N, c+j.N
			k := j.in.K[at:end]
			var a []float32
			if j.in.A != nil {
				a = j.in.A[at:end]
				keys7Scaled(j.out.Key[at:end], k, a, j.in.KA[c:to])
			}
			if j.in.KK != nil {
				s := keys7Removal(j.out.Remove[at:end], j.out.Replace[at:end], k, a, j.in.KK[c:to])
				if j.scale != nil {
					j.scale[r*j.H+h] = s
				}
			}
		}
	}
}

// keys7GradJob holds the gradients of the outputs in out. It stores partial
// sums of dkk and dka in parts [blocks of rows, 2, C].
type keys7GradJob struct {
	keys7Job
	d             Keys7Inputs
	remove, parts []float32
	rows          int
}

var keys7GradJobs jobs[keys7GradJob, *keys7GradJob]

func (j *keys7GradJob) span(lo, hi int) {
	C := j.H * j.N
	for ; lo < hi; lo = (lo/j.rows + 1) * j.rows {
		part := j.parts[lo/j.rows*2*C:][:2*C]
		clear(part)
		for r := lo; r < min(hi, lo+j.rows); r++ {
			j.row(r, part[:C], part[C:])
		}
	}
}

func (j *keys7GradJob) row(r int, dkk, dka []float32) {
	C := j.H * j.N
	for h := range j.H {
		at, c := r*C+h*j.N, h*j.N
		end, to := at+j.N, c+j.N
		k, dk := j.in.K[at:end], j.d.K[at:end]
		var a, da []float32
		if j.in.A != nil {
			a, da = j.in.A[at:end], j.d.A[at:end]
			keys7ScaledGrad(dk, da, dka[c:to], j.out.Key[at:end], k, a, j.in.KA[c:to])
		}
		if j.in.KK != nil {
			keys7RemovalGrad(dk, da, dkk[c:to], j.out.Remove[at:end], j.out.Replace[at:end], j.remove[at:end], k, a, j.in.KK[c:to], j.scale[r*j.H+h])
		}
	}
}

// Gate7Inputs are the inputs of Gate7 for R tokens of H heads of N channels, or
// their gradients. With a nil RK there is no bonus, with a nil G no gate; what
// they alone use may then be nil.
type Gate7Inputs struct {
	X, R, Key, V, G []float32 // [R,H·N]: memory, receptance, key, value, gate
	RK              []float32 // [H·N]: weight of the bonus
}

// Gate7 applies to the output x of RWKV-7's memory the bonus of the present
// token and the output gate g:
//
//	bonus = Σ of the head r·key·rk;  y = (x + bonus·v)·g
//
// y is [R,H·N]; bonus [R,H] is written for the gradient and may be nil.
// Source: BlinkDL/RWKV-LM RWKV-v7/train_temp/src/model.py, RWKV_Tmix_x070.
func Gate7(y, bonus []float32, in Gate7Inputs, R, H, N int) {
	j := gate7Job{y, bonus, in, H, N}
	j.need("Gate7", R)
	if R*H*N > 0 {
		gate7Jobs.run(R, rowGrain(H*N), j)
	}
}

// Gate7Grad is, with d = dy·g and e = Σ of the head d·v,
//
//	dx += d;  dg += dy·(x + bonus·v);  dv += bonus·d
//	dr += e·key·rk;  dkey += e·r·rk;  drk += Σ_r e·r·key
//
// given the bonus that Gate7 computed. What was nil there is nil here; drk may
// be nil in any case.
func Gate7Grad(d Gate7Inputs, dy, bonus []float32, in Gate7Inputs, R, H, N int) {
	C := H * N
	j := gate7GradJob{d: d, gate7Job: gate7Job{dy, bonus, in, H, N}}
	j.need("Gate7Grad", R)
	need("Gate7Grad", "dx", d.X, R*C)
	if in.G != nil {
		need("Gate7Grad", "dg", d.G, R*C)
	}
	if in.RK != nil {
		need("Gate7Grad", "bonus", bonus, R*H)
		need("Gate7Grad", "dr", d.R, R*C)
		need("Gate7Grad", "dkey", d.Key, R*C)
		need("Gate7Grad", "dv", d.V, R*C)
	}
	needOrNil("Gate7Grad", "drk", d.RK, C)
	if R*C == 0 {
		return
	}
	j.rows = partRows(R, 2*C)
	n := (R + j.rows - 1) / j.rows
	owner, parts := borrow(n * 2 * C)
	j.parts = parts
	gate7GradJobs.run(R, j.rows, j)
	addParts(d.RK, parts, n, 2*C)
	floatBuffers.Put(owner)
}

type gate7Job struct {
	y, bonus []float32
	in       Gate7Inputs
	H, N     int
}

func (j *gate7Job) need(op string, R int) {
	C := j.H * j.N
	needDims(op, R, j.H, j.N)
	need(op, "y", j.y, R*C)
	need(op, "x", j.in.X, R*C)
	needOrNil(op, "g", j.in.G, R*C)
	if j.in.RK != nil {
		need(op, "rk", j.in.RK, C)
		need(op, "r", j.in.R, R*C)
		need(op, "key", j.in.Key, R*C)
		need(op, "v", j.in.V, R*C)
		needOrNil(op, "bonus", j.bonus, R*j.H)
	}
}

var gate7Jobs jobs[gate7Job, *gate7Job]

func (j *gate7Job) span(lo, hi int) {
	C := j.H * j.N
	for row := lo; row < hi; row++ {
		from, to := row*C, (row+1)*C
		y, x := j.y[from:to], j.in.X[from:to]
		if j.in.RK != nil {
			for h := range j.H {
				c, end := h*j.N, (h+1)*j.N
				at, last := from+c, from+end
				s := dot3(j.in.R[at:last], j.in.Key[at:last], j.in.RK[c:end])
				addScaled(y[c:end], x[c:end], j.in.V[at:last], s)
				if j.bonus != nil {
					j.bonus[row*j.H+h] = s
				}
			}
			x = y
		}
		if j.in.G != nil {
			multiply(y, x, j.in.G[from:to])
		} else if j.in.RK == nil {
			copy(y, x)
		}
	}
}

// gate7GradJob holds dy in y. It stores partial sums of drk, and a scratch row
// for d, in parts [blocks of rows, 2, C].
type gate7GradJob struct {
	gate7Job
	d     Gate7Inputs
	parts []float32
	rows  int
}

var gate7GradJobs jobs[gate7GradJob, *gate7GradJob]

func (j *gate7GradJob) span(lo, hi int) {
	C := j.H * j.N
	for ; lo < hi; lo = (lo/j.rows + 1) * j.rows {
		part := j.parts[lo/j.rows*2*C:][:2*C]
		clear(part)
		for r := lo; r < min(hi, lo+j.rows); r++ {
			j.row(r, part[:C], part[C:])
		}
	}
}

func (j *gate7GradJob) row(row int, drk, d []float32) {
	C := j.H * j.N
	from, to := row*C, (row+1)*C
	dy := j.y[from:to]
	if j.in.G != nil {
		multiply(d, dy, j.in.G[from:to])
		negExpGrad(j.d.G[from:to], dy, j.in.X[from:to]) // y += a·b
		dy = d
	}
	accumulate(j.d.X[from:to], dy)
	if j.in.RK == nil {
		return
	}
	for h := range j.H {
		c, end := h*j.N, (h+1)*j.N
		at, last := from+c, from+end
		s, d, v := j.bonus[row*j.H+h], dy[c:end], j.in.V[at:last]
		e := dot2(d, v)
		bonus7Grad(j.d.R[at:last], j.d.Key[at:last], drk[c:end], j.in.R[at:last], j.in.Key[at:last], j.in.RK[c:end], e)
		axpy(j.d.V[at:last], d, s)
		if j.in.G != nil {
			mulAxpy(j.d.G[at:last], j.y[at:last], v, s)
		}
	}
}
