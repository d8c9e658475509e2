package kernels

import "math"

// attendOne is Attention for one query a sequence, the decode step. Reading
// keys and values bounds it, so it reads whole rows in order. Positions are
// split into blocks, each giving (max, Σ e, Σ e·v) for every head, which are
// joined in order.
// Source: flash-decoding (Dao et al. 2023).
func attendOne(y, lse, q []float32, k, v keyRows, s AttentionShape) {
	if first := s.first(0); first > 0 {
		k, v, s.S = k.from(first*s.KS), v.from(first*s.KS), s.S-first
	}
	if s.B > 1 && s.KB == s.HKV*s.D && s.KS == s.B*s.KB {
		attendFolded(y, lse, q, k, v, s)
		return
	}
	// About attentionUnits blocks, each a multiple of 16 positions.
	block := min(1024, (s.S/attentionUnits+15)&^15+16)
	blocks := (s.S + block - 1) / block
	part := s.H * (s.D + 2)
	owner, parts := borrow(s.B * blocks * part)
	attendOneJobs.run(s.B*blocks, 1, attendOneJob{parts, q, k, v, s, block, blocks, part})
	for b := range s.B {
		for h := range s.H {
			sum := joinParts(y[(b*s.H+h)*s.D:(b*s.H+h+1)*s.D], parts[b*blocks*part:(b+1)*blocks*part], part, h, s.H, s.D)
			if lse != nil {
				lse[b*s.H+h] = sum
			}
		}
	}
	floatBuffers.Put(owner)
}

// attendFolded treats the B sequences of a cache [S,B,HKV·D] as heads of one
// sequence, so that its rows are read without gaps.
func attendFolded(y, lse, q []float32, k, v keyRows, s AttentionShape) {
	n := s.H * s.D
	owner, rows := borrow(s.B * n)
	for b := range s.B {
		copy(rows[b*n:(b+1)*n], q[b*s.QB:])
	}
	s.H, s.HKV, s.B = s.B*s.H, s.B*s.HKV, 1
	attendOne(y, lse, rows, k, v, s)
	floatBuffers.Put(owner)
}

// attendOneJob fills parts: for every block H maxima, H sums and H·D weighted
// sums of values.
type attendOneJob struct {
	parts, q            []float32
	k, v                keyRows
	s                   AttentionShape
	block, blocks, part int
}

var attendOneJobs jobs[attendOneJob, *attendOneJob]

func (j *attendOneJob) span(lo, hi int) {
	s := &j.s
	owner, scores := borrow(s.H * (j.block + 25)) // headDots may need 9 + 16 unused slots
	for i := lo; i < hi; i++ {
		b, s0 := i/j.blocks, i%j.blocks*j.block
		n := min(j.block, s.S-s0)
		part := j.parts[i*j.part : (i+1)*j.part]
		from := b*s.KB + s0*s.KS
		slots, ld := headDots(scores, j.q[b*s.QB:], j.k.from(from), n, s.KS, s.HKV, s.group(), s.D)
		for h := range s.H {
			p := scores[h*ld : h*ld+slots]
			part[h] = maxOf(p) * s.scale()
			part[s.H+h] = expShift(p, p, s.scale(), part[h])
		}
		headSums(part[2*s.H:], scores, j.v.from(from), n, s.KS, s.HKV, s.group(), s.D)
	}
	floatBuffers.Put(owner)
}

// joinParts combines head h of every block into y [D]; it returns lse.
func joinParts(y, parts []float32, part, h, H, D int) float32 {
	top := parts[h]
	for at := part; at < len(parts); at += part {
		top = max(top, parts[at+h])
	}
	var sum float32
	clear(y)
	for at := 0; at < len(parts); at += part {
		weight := exp32(parts[at+h] - top)
		sum += weight * parts[at+H+h]
		axpy(y, parts[at+2*H+h*D:at+2*H+(h+1)*D], weight)
	}
	scale(y, 1/sum)
	return top + float32(math.Log(float64(sum)))
}
