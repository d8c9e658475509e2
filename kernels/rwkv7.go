package kernels

// Keys7 makes the keys of RWKV-7's memory of the key k and the in-context rate
// a, for R tokens of H heads of N channels:
//
//	κ = k·kk;  κ̂ = κ / max(‖κ‖ of the head, 1e-12)
//	remove = -κ̂;  replace = κ̂·a;  key = k·(1 + (a-1)·ka)
//
// k, a, remove, replace and key are [R,H·N], kk and ka [H·N]; scale [R,H]
// receives 1/max(‖κ‖, 1e-12) for the gradient and may be nil. Parts may be
// absent: a nil a is 1, ka and key are then nil too; a nil kk makes no remove
// and replace, which are then nil.
// Source: BlinkDL/RWKV-LM RWKV-v7/train_temp/src/model.py, RWKV_Tmix_x070.
func Keys7(remove, replace, key, scale, k, a, kk, ka []float32, R, H, N int) {
	j := keys7Job{remove: remove, replace: replace, key: key, scale: scale, k: k, a: a, kk: kk, ka: ka, H: H, N: N}
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
// given what Keys7 made; what was nil there is nil here. dkk and dka may be
// nil besides. Rows are summed in order, within blocks that are joined in order.
func Keys7Grad(dk, da, dkk, dka, dremove, dreplace, dkey, remove, scale, k, a, kk, ka []float32, R, H, N int) {
	C := H * N
	j := keys7GradJob{dk: dk, da: da, dremove: dremove, dreplace: dreplace, dkey: dkey,
		keys7Job: keys7Job{remove: remove, replace: dreplace, key: dkey, scale: scale, k: k, a: a, kk: kk, ka: ka, H: H, N: N}}
	j.need("Keys7Grad", R)
	need("Keys7Grad", "dk", dk, R*C)
	if a != nil {
		need("Keys7Grad", "da", da, R*C)
	}
	if kk != nil {
		need("Keys7Grad", "dremove", dremove, R*C)
		need("Keys7Grad", "scale", scale, R*H)
	}
	needOrNil("Keys7Grad", "dkk", dkk, C)
	needOrNil("Keys7Grad", "dka", dka, C)
	if R*C == 0 {
		return
	}
	j.rows = partRows(R, 2*C)
	n := (R + j.rows - 1) / j.rows
	owner, parts := borrow(n * 2 * C)
	j.parts = parts
	keys7GradJobs.run(R, j.rows, j)
	addParts(dkk, parts, n, 2*C)
	addParts(dka, parts[C:], n, 2*C)
	floatBuffers.Put(owner)
}

type keys7Job struct {
	remove, replace, key, scale, k, a, kk, ka []float32
	H, N                                      int
}

func (j *keys7Job) need(op string, R int) {
	C := j.H * j.N
	needDims(op, R, j.H, j.N)
	need(op, "k", j.k, R*C)
	if j.kk != nil {
		need(op, "kk", j.kk, C)
		need(op, "remove", j.remove, R*C)
		need(op, "replace", j.replace, R*C)
		needOrNil(op, "scale", j.scale, R*j.H)
	}
	if j.a != nil {
		need(op, "a", j.a, R*C)
		need(op, "ka", j.ka, C)
		need(op, "key", j.key, R*C)
	}
}

var keys7Jobs jobs[keys7Job, *keys7Job]

func (j *keys7Job) span(lo, hi int) {
	C := j.H * j.N
	for r := lo; r < hi; r++ {
		for h := range j.H {
			at, c := r*C+h*j.N, h*j.N
			end, to := at+j.N, c+j.N
			k := j.k[at:end]
			var a []float32
			if j.a != nil {
				a = j.a[at:end]
				keys7Scaled(j.key[at:end], k, a, j.ka[c:to])
			}
			if j.kk != nil {
				s := keys7Removal(j.remove[at:end], j.replace[at:end], k, a, j.kk[c:to])
				if j.scale != nil {
					j.scale[r*j.H+h] = s
				}
			}
		}
	}
}

// keys7GradJob leaves dkk and dka in parts [blocks of rows, 2, C].
type keys7GradJob struct {
	keys7Job
	dk, da, dremove, dreplace, dkey, parts []float32
	rows                                   int
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
		k, dk := j.k[at:end], j.dk[at:end]
		var a, da []float32
		if j.a != nil {
			a, da = j.a[at:end], j.da[at:end]
			keys7ScaledGrad(dk, da, dka[c:to], j.dkey[at:end], k, a, j.ka[c:to])
		}
		if j.kk != nil {
			keys7RemovalGrad(dk, da, dkk[c:to], j.dremove[at:end], j.dreplace[at:end], j.remove[at:end], k, a, j.kk[c:to], j.scale[r*j.H+h])
		}
	}
}

// Gate7 is what follows RWKV-7's memory x, for R tokens of H heads of N
// channels: the bonus of the present token, and the output gate g:
//
//	bonus = Σ of the head r·key·rk;  y = (x + bonus·v)·g
//
// y, x, r, key, v and g are [R,H·N], rk [H·N]; bonus [R,H] is written for the
// gradient and may be nil. A nil rk is no bonus, a nil g no gate; what only
// they need may then be nil.
// Source: BlinkDL/RWKV-LM RWKV-v7/train_temp/src/model.py, RWKV_Tmix_x070.
func Gate7(y, bonus, x, r, key, rk, v, g []float32, R, H, N int) {
	j := gate7Job{y: y, bonus: bonus, x: x, r: r, key: key, rk: rk, v: v, g: g, H: H, N: N}
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
// given the bonus that Gate7 made; what was nil there is nil here. drk may be
// nil besides. Rows are summed in order, within blocks that are joined in order.
func Gate7Grad(dx, dr, dkey, drk, dv, dg, dy, bonus, x, r, key, rk, v, g []float32, R, H, N int) {
	C := H * N
	j := gate7GradJob{dx: dx, dr: dr, dkey: dkey, dv: dv, dg: dg,
		gate7Job: gate7Job{y: dy, bonus: bonus, x: x, r: r, key: key, rk: rk, v: v, g: g, H: H, N: N}}
	j.need("Gate7Grad", R)
	need("Gate7Grad", "dx", dx, R*C)
	if g != nil {
		need("Gate7Grad", "dg", dg, R*C)
	}
	if rk != nil {
		need("Gate7Grad", "bonus", bonus, R*H)
		need("Gate7Grad", "dr", dr, R*C)
		need("Gate7Grad", "dkey", dkey, R*C)
		need("Gate7Grad", "dv", dv, R*C)
	}
	needOrNil("Gate7Grad", "drk", drk, C)
	if R*C == 0 {
		return
	}
	j.rows = partRows(R, 2*C)
	n := (R + j.rows - 1) / j.rows
	owner, parts := borrow(n * 2 * C)
	j.parts = parts
	gate7GradJobs.run(R, j.rows, j)
	addParts(drk, parts, n, 2*C)
	floatBuffers.Put(owner)
}

type gate7Job struct {
	y, bonus, x, r, key, rk, v, g []float32
	H, N                          int
}

func (j *gate7Job) need(op string, R int) {
	C := j.H * j.N
	needDims(op, R, j.H, j.N)
	need(op, "y", j.y, R*C)
	need(op, "x", j.x, R*C)
	needOrNil(op, "g", j.g, R*C)
	if j.rk != nil {
		need(op, "rk", j.rk, C)
		need(op, "r", j.r, R*C)
		need(op, "key", j.key, R*C)
		need(op, "v", j.v, R*C)
		needOrNil(op, "bonus", j.bonus, R*j.H)
	}
}

var gate7Jobs jobs[gate7Job, *gate7Job]

func (j *gate7Job) span(lo, hi int) {
	C := j.H * j.N
	for row := lo; row < hi; row++ {
		from, to := row*C, (row+1)*C
		y, x := j.y[from:to], j.x[from:to]
		if j.rk != nil {
			for h := range j.H {
				c, end := h*j.N, (h+1)*j.N
				at, last := from+c, from+end
				s := dot3(j.r[at:last], j.key[at:last], j.rk[c:end])
				addScaled(y[c:end], x[c:end], j.v[at:last], s)
				if j.bonus != nil {
					j.bonus[row*j.H+h] = s
				}
			}
			x = y
		}
		if j.g != nil {
			multiply(y, x, j.g[from:to])
		} else if j.rk == nil {
			copy(y, x)
		}
	}
}

// gate7GradJob has dy in y. It leaves drk and the row d in parts [blocks of
// rows, 2, C].
type gate7GradJob struct {
	gate7Job
	dx, dr, dkey, dv, dg, parts []float32
	rows                        int
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
	if j.g != nil {
		multiply(d, dy, j.g[from:to])
		negExpGrad(j.dg[from:to], dy, j.x[from:to]) // y += a·b
		dy = d
	}
	accumulate(j.dx[from:to], dy)
	if j.rk == nil {
		return
	}
	for h := range j.H {
		c, end := h*j.N, (h+1)*j.N
		at, last := from+c, from+end
		s, d, v := j.bonus[row*j.H+h], dy[c:end], j.v[at:last]
		e := dot3(d, v, nil)
		bonus7Grad(j.dr[at:last], j.dkey[at:last], drk[c:end], j.r[at:last], j.key[at:last], j.rk[c:end], e)
		axpy(j.dv[at:last], d, s)
		if j.g != nil {
			mulAxpy(j.dg[at:last], j.y[at:last], v, s)
		}
	}
}
