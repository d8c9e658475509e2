//go:build amd64 && !purego

package kernels

// wkv6Steps is the number of steps that run over all columns of the state
// before the next steps do: their rows stay in the L1 cache.
const wkv6Steps = 16

// wkv6Rows is where the rows of some steps of a scan begin, and the bytes from
// one step to the next. a and e are indexed like rows of the state; e is b in
// wkv6Values and x in wkv6Keys.
type wkv6Rows struct {
	row, d, out, c                            int
	stride, each, dStride, outStride, cStride int
	a, e                                      *float32
}

// rows returns the rows of T steps from the n-th step of the scan on. Where
// rows lie whole pages apart, a and e are copied into pack, because they would
// evict one another from the L1 cache.
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

// pages divides the stride, in floats, of rows that share few sets of the L1
// cache.
const pages = 512

// packing returns scratch for copied rows, nil where rows stay in place.
func (q *wkv6Scan) packing() (owner *[]float32, pack []float32) {
	if q.stride%pages != 0 || q.T == 1 {
		return nil, nil
	}
	return borrow(2 * wkv6Steps * q.N)
}

func wkv6ValuesAVX2(q *wkv6Scan) {
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

func wkv6KeysAVX2(q *wkv6Scan) {
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
