//go:build amd64 && !purego

package kernels

// attentionBackward is the gradient of a block of keys over tiles of queries.
type attentionBackward struct {
	ld, D        int
	k, v, dk, dv []float32 // [keys,ld]
	q, dy        packedQueries
	dq           []float32 // [queries,ld]
	p, ds        []float32 // [keys,queries]
	lse, d       []float32 // of each query
}

func attendBackAVX2(j *attentionGradJob, b, h, group, k0, n int) {
	s := &j.s
	ld, key := attentionLd(s.D), s.key(b, h)+k0*s.KS
	owner, scratch := borrow(4*attentionKeys*ld + 2*attentionKeys*attentionRows + 5*attentionRows*ld + 2*attentionRows)
	t := attentionBackward{ld: ld, D: s.D}
	for _, x := range [...]*[]float32{&t.k, &t.v, &t.dk, &t.dv} {
		*x = take(&scratch, attentionKeys*ld)
	}
	t.q, t.dy, t.dq = takeQueries(&scratch, ld), takeQueries(&scratch, ld), take(&scratch, attentionRows*ld)
	t.p, t.ds = take(&scratch, attentionKeys*attentionRows), take(&scratch, attentionKeys*attentionRows)
	t.lse, t.d = take(&scratch, attentionRows), take(&scratch, attentionRows)
	attentionCopyAVX2(at(t.k), ld, &j.k[key], s.KS, n, s.D, &unit, 0)
	attentionCopyAVX2(at(t.v), ld, &j.v[key], s.KS, n, s.D, &unit, 0)
	clear(t.dk)
	clear(t.dv)
	for g := range s.group() {
		t.head(j, b, h+g, group, k0, n)
	}
	attentionGatherAVX2(&j.dk[key], s.KS, at(t.dk), ld, n, s.D, &unit, 0)
	attentionGatherAVX2(&j.dv[key], s.KS, at(t.dv), ld, n, s.D, &unit, 0)
	floatBuffers.Put(owner)
}

// head processes all queries of head h that see the block.
func (t *attentionBackward) head(j *attentionGradJob, b, h, group, k0, n int) {
	s := &j.s
	by, ld := s.scale(), t.ld
	dq, stride := j.queryGrad(b, h, group)
	from, to := s.seenBy(k0, n)
	for t0 := from; t0 < to; t0 += attentionRows {
		rows, out := min(attentionRows, to-t0), s.row(b, t0, h)
		t.q.fill(j.q[s.query(b, t0, h):], s.QT, rows, s.D, ld, &by)
		t.dy.fill(j.dy[out:], s.H*s.D, rows, s.D, ld, &unit)
		copy(t.lse, j.lse[(b*s.H+h)*s.T+t0:][:rows])
		for i := range rows {
			at := out + i*s.H*s.D
			t.d[i] = dot2(j.dy[at:at+s.D], j.y[at:at+s.D])
		}
		edge := s.S - s.T + t0 - k0
		block := attentionBlock{rows, n, edge + 1 - s.W, edge}
		t.add(block)
		first, _, _ := block.strips()
		attentionGatherAVX2(&dq[(t0+6*first)*stride], stride, &t.dq[6*first*ld], ld, rows-6*first, s.D, &by, 0)
	}
}

// add processes one tile of queries: it adds to dk and dv and sets dq.
func (t *attentionBackward) add(b attentionBlock) {
	for i := 0; i < b.queries; i += 16 {
		all, one, scored := b.panel(i)
		scores(t.p, t.k, t.q.panels, i, one, t.ld, t.D)
		scores(t.ds, t.v, t.dy.panels, i, one, t.ld, t.D)
		b.hide(t.p, i, scored)
		attentionBackAVX2(&t.p[i], &t.ds[i], attentionRows, all, scored, b.edge+i, &t.lse[i], &t.d[i])
	}
	for c := 0; c < t.D; c += 16 {
		t.byKeys(b, t.dv[c:], t.p, t.dy.rows[c:])
		t.byKeys(b, t.dk[c:], t.ds, t.q.rows[c:])
	}
	first, whole, end := b.strips()
	for c := 0; c < t.D; c += 16 {
		if whole > first {
			t.byQueries(first, whole-first, c, b.edge+6*first+6, 6)
		}
		if end > whole {
			t.byQueries(whole, end-whole, c, b.keys, 0)
		}
	}
}

// byKeys adds weights·rows to strips of six keys: all queries see the first
// strips; each strip after them is seen from six queries later on.
func (t *attentionBackward) byKeys(b attentionBlock, out, weights, rows []float32) {
	end := (b.keys + 5) / 6
	whole := min(end, b.edge/6+1)
	attentionAddAVX2(at(out), t.ld, at(weights), attentionRows, 1, at(rows), t.ld, b.queries, 6*t.ld, 6*attentionRows, 0, 0, whole)
	from := 6*whole - b.edge
	if n := min(end-whole, (b.queries-from+5)/6); n > 0 {
		attentionAddAVX2(&out[6*whole*t.ld], t.ld, &weights[6*whole*attentionRows+from], attentionRows, 1, &rows[from*t.ld], t.ld,
			b.queries-from, 6*t.ld, 6*attentionRows+6, 6*t.ld, -6, n)
	}
}

// byQueries sets dq of n strips of six queries: strip i sees that many keys,
// each strip after it step keys more.
func (t *attentionBackward) byQueries(i, n, c, keys, step int) {
	attentionSetAVX2(&t.dq[6*i*t.ld+c], t.ld, &t.ds[6*i], 1, attentionRows, &t.k[c], t.ld, keys, 6*t.ld, 6, 0, step, n)
}
