package nn

import "workbench/kernels"

// Drop is a graph's dropout: every element that Dropout and a LinearThen with
// a residual see is zeroed with probability Rate and else divided by 1-Rate.
// What is dropped follows from Seed, the number of the operation since Reset
// and the element's place alone. A graph that does not record drops nothing.
// Source: Srivastava et al. 2014.
type Drop struct {
	Rate float64
	Seed uint64

	n uint64 // operations since Reset
}

// Dropout is x with some elements zeroed; see Drop.
func Dropout(g *Graph, x *Tensor) *Tensor {
	if !g.dropping() {
		return x
	}
	y := g.like(x)
	copy(y.Data, x.Data)
	mask := g.dropMask(x.Len())
	mulBy(y.Data, mask)
	if g.dry {
		return y
	}
	g.back(y, func() {
		d := g.copyOf(y.Grad)
		mulBy(d, mask)
		g.pass(x, d)
	})
	return y
}

// dropping also holds in the first pass of Recompute, which records nothing.
func (g *Graph) dropping() bool { return (g.record || g.dry) && g.Drop.Rate > 0 }

// dropMask returns n factors, 0 or 1/(1-Rate).
func (g *Graph) dropMask(n int) []float32 {
	const block = 1 << 14
	mask := g.floats(n)
	g.Drop.n++
	seed := mixed(g.Drop.Seed + g.Drop.n*0x9e3779b97f4a7c15)
	limit, keep := uint64(g.Drop.Rate*(1<<16)), float32(1/(1-g.Drop.Rate))
	kernels.For((n+block-1)/block, func(i int) {
		for j := i * block; j < min(n, (i+1)*block); j += 4 {
			h := mixed(seed + uint64(j))
			for k := range min(4, n-j) {
				if mask[j+k] = keep; h>>(16*k)&0xffff < limit {
					mask[j+k] = 0
				}
			}
		}
	})
	return mask
}

// mixed scrambles 64 bits: the finaliser of SplitMix64.
func mixed(h uint64) uint64 {
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return h ^ h>>31
}

// mulBy is x[i] *= f[i].
func mulBy(x, f []float32) {
	for i, v := range f {
		x[i] *= v
	}
}
