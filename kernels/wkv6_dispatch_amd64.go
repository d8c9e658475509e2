//go:build !purego

package kernels

//go:generate go run -C _asm ./ops -group wkv6 -out ../wkv6_amd64.s -stubs ../wkv6_amd64.go -pkg kernels

// wkv6Steps is how many steps go over all columns of the state before the
// next ones do: their rows stay in the first-level cache.
const wkv6Steps = 16

// wkv6Rows is where the rows of some steps of a scan begin, and the bytes from
// one step's to the next's. a and e are the rows that go with those of the
// state: b of values, x of keys.
type wkv6Rows struct {
	row, d, out, c                            int
	stride, each, dStride, outStride, cStride int
	a, e                                      *float32
}

// rows returns those of the T steps from the n-th on that the scan comes to.
// Where rows lie whole pages apart, a and e are copied into pack, or they
// would drive one another from the first-level cache.
func (q *wkv6Scan) rows(n, T int, e, pack []float32) wkv6Rows {
	t, sign := q.row(n), 4
	if q.back {
		sign = -4
	}
	r := wkv6Rows{t * q.stride, t * q.dStride, t * q.outStride, t, sign * q.stride, sign * q.stride, sign * q.dStride, sign * q.outStride, sign, at(q.a[t*q.stride:]), at(e[t*q.stride:])}
	if pack == nil {
		return r
	}
	for m := range T {
		row := q.row(n+m) * q.stride
		copy(pack[2*m*q.N:(2*m+1)*q.N], q.a[row:])
		copy(pack[(2*m+1)*q.N:(2*m+2)*q.N], e[row:])
	}
	r.a, r.e, r.each = at(pack), at(pack[q.N:]), 8*q.N
	return r
}

// pages is the number of floats apart from which on rows share few sets of the
// first-level cache.
const pages = 512

// packing returns scratch for rows, nil where they stay in place.
func (q *wkv6Scan) packing() (owner *[]float32, pack []float32) {
	if q.stride%pages != 0 || q.T == 1 {
		return nil, nil
	}
	return borrow(2 * wkv6Steps * q.N)
}

func wkv6Values(q *wkv6Scan) {
	if !useAVX2 {
		wkv6ValuesGeneric(q)
		return
	}
	owner, pack := q.packing()
	for n := 0; n < q.T; n += wkv6Steps {
		T := min(wkv6Steps, q.T-n)
		r := q.rows(n, T, q.b, pack)
		d, c := at(q.d[r.d:]), at(q.c[r.c:])
		j := 0
		for ; j+16 <= q.N; j += 16 {
			wkv6Valuesx16AVX2(at(q.out[r.out+j:]), at(q.s[j:]), r.a, d, r.e, at(q.x[r.row+j:]), c,
				T, q.N, 4*q.N, r.stride, r.each, r.outStride, r.dStride, r.cStride)
		}
		for ; j < q.N; j += 8 {
			wkv6ValuesRestAVX2(at(q.out[r.out+j:]), at(q.s[j:]), r.a, d, r.e, at(q.x[r.row+j:]), c,
				T, q.N, 4*q.N, r.stride, r.each, r.outStride, r.dStride, r.cStride, min(8, q.N-j))
		}
	}
	if owner != nil {
		floatBuffers.Put(owner)
	}
}

func wkv6Keys(q *wkv6Scan) {
	if !useAVX2 {
		wkv6KeysGeneric(q)
		return
	}
	owner, pack := q.packing()
	for n := 0; n < q.T; n += wkv6Steps {
		T := min(wkv6Steps, q.T-n)
		r := q.rows(n, T, q.x, pack)
		i := 0
		for ; i+16 <= q.N; i += 16 {
			wkv6Keysx16AVX2(at(q.out[r.out+i:]), at(q.s[i:]), r.a, at(q.d[r.d+i:]), at(q.b[r.row+i:]), r.e,
				T, q.N, 4*q.N, r.stride, r.each, r.outStride, r.dStride)
		}
		for ; i < q.N; i += 8 {
			wkv6KeysRestAVX2(at(q.out[r.out+i:]), at(q.s[i:]), r.a, at(q.d[r.d+i:]), at(q.b[r.row+i:]), r.e,
				T, q.N, 4*q.N, r.stride, r.each, r.outStride, r.dStride, min(8, q.N-i))
		}
	}
	if owner != nil {
		floatBuffers.Put(owner)
	}
}

// wkv6Decays is d[t] = e^w[t] on T rows of N; rows of w lie stride apart.
func wkv6Decays(d, w []float32, T, N, stride int) {
	if !useAVX2 {
		wkv6DecaysGeneric(d, w, T, N, stride)
		return
	}
	wkv6DecaysAVX2(at(d), at(w), T, 4*N, 4*stride, N)
}

func wkv6Dots(c, a, u, b []float32, stride int) {
	if !useAVX2 {
		wkv6DotsGeneric(c, a, u, b, stride)
		return
	}
	wkv6DotsAVX2(at(c), at(a), at(u), at(b), len(c), 4*stride, len(u))
}

func wkv6Join(dw, dr, dk, du, q, gr, gk, u, r, k, d []float32, e float32) {
	if !useAVX2 {
		wkv6JoinGeneric(dw, dr, dk, du, q, gr, gk, u, r, k, d, e)
		return
	}
	wkv6JoinAVX2(at(dw), at(dr), at(dk), at(du), at(q), at(gr), at(gk), at(u), at(r), at(k), at(d), e, len(u))
}

func wkv6Meet(q, G, S []float32) {
	if !useAVX2 {
		wkv6MeetGeneric(q, G, S)
		return
	}
	clear(q)
	wkv6MeetAVX2(at(q), at(G), at(S), len(q), len(q), len(q))
}
