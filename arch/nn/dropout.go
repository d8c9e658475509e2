package nn

// Drop is the dropout of a graph: every element that passes Dropout or a
// LinearThen with a residual is zeroed with probability Rate and else divided
// by 1-Rate. Which elements are zeroed depends only on Seed, the number of the
// operation since Reset and the index of the element. A graph that does not
// record drops nothing.
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
	record(g, y, dropoutOp{x, y, mask})
	return y
}

type dropoutOp struct {
	x, y *Tensor
	mask []float32
}

func (o *dropoutOp) back(g *Graph) {
	d := g.copyOf(o.y.Grad)
	mulBy(d, o.mask)
	g.pass(o.x, d)
}

// dropping reports whether elements are dropped: while recording, and in the
// first pass of Recompute, which does not record.
func (g *Graph) dropping() bool { return (g.record || g.dry) && g.Drop.Rate > 0 }

// dropMask returns n factors, 0 or 1/(1-Rate).
func (g *Graph) dropMask(n int) []float32 {
	mask := g.floats(n)
	g.Drop.n++
	seed := mixed(g.Drop.Seed + g.Drop.n*0x9e3779b97f4a7c15)
	limit, keep := uint64(g.Drop.Rate*(1<<16)), float32(1/(1-g.Drop.Rate))
	for i := 0; i < n; i += 4 {
		h := mixed(seed + uint64(i))
		for k := range mask[i:min(i+4, n)] {
			if mask[i+k] = keep; h&0xffff < limit {
				mask[i+k] = 0
			}
			h >>= 16
		}
	}
	return mask
}

// mixed is the finaliser of SplitMix64, a hash of 64 bits.
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
