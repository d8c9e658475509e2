package corpus

import (
	"fmt"
	"math"
)

// NGramBPB is the bits per byte that an interpolated byte n-gram counted on
// train needs for val: what a model without any architecture reaches. order is
// the bytes of context, 0 to 2.
//
//	P_k(c|ctx) = (n(ctx,c) + d(ctx)·P_{k-1}(c)) / (n(ctx) + d(ctx)),  P_{-1} = 1/256
//
// n counts occurrences, d the different bytes that followed ctx.
// Source: Witten & Bell 1991.
func NGramBPB(train, val []byte, order int) float64 {
	if order < 0 || order > 2 || len(val) == 0 {
		panic(fmt.Sprintf("corpus: NGramBPB of order %d over %d bytes", order, len(val)))
	}
	tables := make([]ngram, order+1)
	for k := range tables {
		tables[k] = countNGrams(train, k)
	}
	bits := 0.0
	for i, c := range val {
		p := 1.0 / 256
		for k := 0; k <= min(order, i); k++ {
			p = tables[k].mix(before(val, i, k), c, p)
		}
		bits -= math.Log2(p)
	}
	return bits / float64(len(val))
}

// ngram counts the bytes that follow each context of k bytes.
type ngram struct {
	count         []uint32 // [256^k, 256]
	total, others []uint32 // [256^k]: occurrences, different successors
}

func countNGrams(data []byte, k int) ngram {
	contexts := 1 << (8 * k)
	t := ngram{make([]uint32, contexts*256), make([]uint32, contexts), make([]uint32, contexts)}
	for i := k; i < len(data); i++ {
		ctx := before(data, i, k)
		n := &t.count[ctx<<8|int(data[i])]
		if *n == 0 {
			t.others[ctx]++
		}
		*n++
		t.total[ctx]++
	}
	return t
}

// mix is P_k from P_{k-1}.
func (t ngram) mix(ctx int, c byte, lower float64) float64 {
	if t.total[ctx] == 0 {
		return lower
	}
	n, d := float64(t.total[ctx]), float64(t.others[ctx])
	return (float64(t.count[ctx<<8|int(c)]) + d*lower) / (n + d)
}

// before is the k bytes before position i as a number.
func before(data []byte, i, k int) int {
	ctx := 0
	for _, c := range data[i-k : i] {
		ctx = ctx<<8 | int(c)
	}
	return ctx
}
