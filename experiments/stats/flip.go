package stats

import (
	"cmp"
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
)

// Everything in this file rests on one argument. Two arms that do the same work
// are measured side by side in n blocks, in an order drawn anew in every block:
// then every difference was as likely to come out with the other sign, whatever
// the drift and whatever the distribution. So the n signs are flipped in all
// ways, and a statistic is significant when few ways make it as large.

const (
	// exactBlocks is the most blocks whose 2ⁿ flips are all counted; above, 2¹⁶
	// of them are drawn.
	exactBlocks = 20
	drawnFlips  = 1 << 16
)

// A Test is what blocks say of one difference.
type Test struct {
	N      int     // blocks
	Center float64 // the mean of the difference over blocks
	// Lo and Hi bound the difference: the values that the test of this difference
	// alone, at the level that the family's correction leaves to it, does not
	// reject. They exclude 0 exactly where P is at most 1-level.
	Lo, Hi float64
	P      float64 // two-sided, corrected for the family
	// Found is the smallest difference that these blocks find with probability
	// .8 at that level, infinite where they find none.
	Found float64
}

// Family tests differences that were measured in the same blocks: d[h][i] is
// difference h in block i. P is that of the step-down max-T procedure, the signs
// of all differences being flipped together block by block, so that what they
// have in common counts once. The statistic of a difference is its sum over its
// norm, which flips leave as it is. NaN stands for a block in which a difference
// was not measured, which says nothing of it.
// Source: Westfall & Young, Resampling-Based Multiple Testing, 1993, algorithm
// 2.8, with sign flips in place of resampling.
func Family(d [][]float64) ([]Test, error) {
	if len(d) == 0 {
		return nil, nil
	}
	measured, filled, centred := make([][]float64, len(d)), make([][]float64, len(d)), make([][]float64, len(d))
	for h := range d {
		if len(d[h]) != len(d[0]) {
			return nil, fmt.Errorf("difference %d has %d blocks, the first has %d", h, len(d[h]), len(d[0]))
		}
		measured[h] = slices.DeleteFunc(slices.Clone(d[h]), math.IsNaN)
		if err := check(measured[h]); err != nil {
			return nil, err
		}
		filled[h], centred[h] = fill(d[h], 0), fill(d[h], mean(measured[h]))
	}
	f := newFlips(filled)
	p, critical := f.stepDown()
	_, without := newFlips(centred).stepDown()
	most := slices.Max(without)
	tests := make([]Test, len(d))
	for h, x := range measured {
		t := Test{N: len(x), Center: mean(x), P: p[h], Found: found(x, most)}
		if t.Lo, t.Hi = flipInterval(x, f.level(h, critical[h])); t.P > 1-level {
			t.Lo, t.Hi = min(t.Lo, 0), max(t.Hi, 0) // no flip of this difference alone reaches the family's value
		}
		tests[h] = t
	}
	return tests, nil
}

// fill is d less m, with 0, which no flip changes, where d was not measured.
func fill(d []float64, m float64) []float64 {
	out := make([]float64, len(d))
	for i, x := range d {
		if out[i] = x - m; math.IsNaN(x) {
			out[i] = 0
		}
	}
	return out
}

// Above tests whether a difference exceeds a margin: the one-sided p of no more
// than it.
func Above(d []float64, margin float64) (p float64, err error) {
	if err := check(d); err != nil {
		return 0, err
	}
	x := make([]float64, len(d))
	for i := range d {
		x[i] = d[i] - margin
	}
	sum := math.Inf(1)
	total, extreme := 0, 0
	eachFlip([][]float64{x}, func(s []float64) {
		if total++; total == 1 {
			sum = s[0] - slack(x)
		}
		if s[0] >= sum {
			extreme++
		}
	}, false)
	return float64(extreme) / float64(total), nil
}

// Below tests whether a difference falls short of a margin.
func Below(d []float64, margin float64) (p float64, err error) {
	x := make([]float64, len(d))
	for i := range d {
		x[i] = -d[i]
	}
	return Above(x, -margin)
}

// Interval bounds the mean of a difference with confidence level, by the same
// test.
func Interval(d []float64) (Test, error) {
	tests, err := Family([][]float64{d})
	if err != nil {
		return Test{}, err
	}
	return tests[0], nil
}

// LeastP is the smallest two-sided p that n blocks can give.
func LeastP(n int) float64 { return math.Ldexp(2, -min(n, 60)) }

// Needs is the fewest blocks that can give a two-sided p of at most p.
func Needs(p float64) int {
	n := 1
	for LeastP(n) > p && n < 60 {
		n++
	}
	return n
}

// slack is what rounding may make of a sum: sums closer than it are equal.
func slack(d []float64) float64 {
	scale := 0.0
	for _, x := range d {
		scale += math.Abs(x)
	}
	return 1e-9 * scale
}

// eachFlip calls f with the sums of all differences under flips of the blocks'
// signs, first as they are. With half, of each pair of opposite flips one is
// visited: enough where only the size of a sum counts. Sums are updated along a
// Gray code, one block a step.
func eachFlip(d [][]float64, f func(sums []float64), half bool) {
	n := len(d[0])
	sums := make([]float64, len(d))
	for h := range d {
		for _, x := range d[h] {
			sums[h] += x
		}
	}
	f(sums)
	if n > exactBlocks {
		sampleFlips(d, sums, f)
		return
	}
	free := n
	if half {
		free--
	}
	flipped := make([]bool, n)
	for i := 1; i < 1<<free; i++ {
		k := bits.TrailingZeros(uint(i))
		by := -2.0
		if flipped[k] {
			by = 2
		}
		for h := range d {
			sums[h] += by * d[h][k]
		}
		flipped[k] = !flipped[k]
		f(sums)
	}
}

// sampleFlips visits random flips.
func sampleFlips(d [][]float64, sums []float64, f func(sums []float64)) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for range drawnFlips {
		clear(sums)
		for i := range d[0] {
			sign := 1.0
			if rng.Uint64()&1 == 0 {
				sign = -1
			}
			for h := range d {
				sums[h] += sign * d[h][i]
			}
		}
		f(sums)
	}
}

// flips are the differences of a family in the order of their statistics, the
// largest first.
type flips struct {
	d        [][]float64
	norm     []float64 // of each
	observed []float64 // statistics
	order    []int
}

func newFlips(d [][]float64) *flips {
	f := &flips{d: d, norm: make([]float64, len(d)), observed: make([]float64, len(d))}
	for h := range d {
		sum, squares := 0.0, 0.0
		for _, x := range d[h] {
			sum, squares = sum+x, squares+x*x
		}
		f.norm[h] = math.Sqrt(squares)
		f.observed[h] = f.statistic(h, sum)
		f.order = append(f.order, h)
	}
	slices.SortStableFunc(f.order, func(a, b int) int { return cmp.Compare(f.observed[b], f.observed[a]) })
	return f
}

// statistic of a sum of difference h: 0 where there is no difference at all.
func (f *flips) statistic(h int, sum float64) float64 {
	if f.norm[h] == 0 {
		return 0
	}
	return math.Abs(sum) / f.norm[h]
}

// stepDown is the corrected p of every difference, and the statistic that it
// must reach to be significant.
func (f *flips) stepDown() (p, critical []float64) {
	total := 1 << (len(f.d[0]) - 1)
	if len(f.d[0]) > exactBlocks {
		total = drawnFlips + 1
	}
	rejected := int((1 - level) * float64(total)) // flips that may reach it
	extreme, tops := make([]int, len(f.d)), make([]top, len(f.d))
	for rank := range tops {
		tops[rank] = top{most: max(1, rejected), floor: math.Inf(-1)}
	}
	eachFlip(f.d, func(sums []float64) {
		most := 0.0
		for rank := len(f.order) - 1; rank >= 0; rank-- {
			h := f.order[rank]
			most = max(most, f.statistic(h, sums[h]))
			if most >= f.observed[h]-1e-9 {
				extreme[h]++
			}
			tops[rank].add(most)
		}
	}, true)
	p, critical = make([]float64, len(f.d)), make([]float64, len(f.d))
	before, failed := 0.0, -1
	for rank, h := range f.order {
		p[h] = max(before, float64(extreme[h])/float64(total))
		if before = p[h]; p[h] > 1-level && failed < 0 {
			failed = rank
		}
		at := rank
		if failed >= 0 {
			at = failed // what follows a difference that is not significant is none
		}
		if critical[h] = tops[at].least(); rejected == 0 {
			critical[h] = math.Inf(1)
		}
	}
	return p, critical
}

// A top keeps the largest of many numbers.
type top struct {
	most  int // that are kept
	all   []float64
	floor float64 // numbers below it are not among them
}

func (t *top) add(x float64) {
	if len(t.all) >= t.most && x < t.floor {
		return
	}
	if t.all = append(t.all, x); len(t.all) >= 2*t.most+64 {
		t.cut()
	}
}

func (t *top) cut() {
	slices.SortFunc(t.all, func(a, b float64) int { return cmp.Compare(b, a) })
	t.all = t.all[:min(len(t.all), t.most)]
	t.floor = t.all[len(t.all)-1]
}

// least is the smallest of those kept.
func (t *top) least() float64 {
	t.cut()
	return t.floor
}

// level is the share of flips that make the statistic of difference h alone
// reach a critical value, at least that of one; where the value is infinite, 0.
func (f *flips) level(h int, critical float64) float64 {
	if f.norm[h] == 0 {
		return 1 - level
	}
	if math.IsInf(critical, 1) {
		return 0
	}
	extreme, total := 0, 0
	eachFlip([][]float64{f.d[h]}, func(sums []float64) {
		if total++; f.statistic(h, sums[0]) >= critical-1e-9 {
			extreme++
		}
	}, true)
	return min(1-level, float64(max(1, extreme))/float64(total)) // flips that tie may be more
}

// flipInterval are the bounds that the two-sided test at a level does not reject.
// A value is rejected when few sets of blocks have their mean on the other side
// of it, so the bounds are means of sets of blocks. Source: Hartigan, Using
// Subsample Values as Typical Values, JASA 1969. Where n blocks cannot reach the
// level there are none.
func flipInterval(d []float64, level float64) (lo, hi float64) {
	n := len(d)
	if LeastP(n) > level+1e-12 {
		return math.Inf(-1), math.Inf(1)
	}
	// Of 2ⁿ flips, k may lie beyond a bound: 2k/2ⁿ ≤ level.
	total := float64(drawnFlips)
	if n <= exactBlocks {
		total = math.Exp2(float64(n))
	}
	k := max(1, int(level/2*total+1e-9))
	low, high := top{k, nil, math.Inf(-1)}, top{k, nil, math.Inf(-1)}
	eachSetMean(d, func(mean float64) {
		low.add(-mean)
		high.add(mean)
	})
	return -low.least(), high.least()
}

// eachSetMean calls f with the means of all sets of blocks, of random ones where
// there are too many.
func eachSetMean(d []float64, f func(mean float64)) {
	n := len(d)
	sum, size := 0.0, 0
	if n > exactBlocks {
		rng := rand.New(rand.NewPCG(seed, 2))
		for range drawnFlips {
			sum, size = 0, 0
			for _, x := range d {
				if rng.Uint64()&1 == 0 {
					sum, size = sum+x, size+1
				}
			}
			f(sum / float64(max(1, size)))
		}
		return
	}
	in := make([]bool, n)
	for i := 1; i < 1<<n; i++ {
		k := bits.TrailingZeros(uint(i))
		if in[k] {
			sum, size = sum-d[k], size-1
		} else {
			sum, size = sum+d[k], size+1
		}
		in[k] = !in[k]
		f(sum / float64(size))
	}
}

// found is the difference that is found with probability .8 in blocks that
// deviate as these do, where the statistic must reach a critical value c. The
// statistic is a rising function of Student's t: c² = n·t²/(t²+n-1).
func found(d []float64, c float64) float64 {
	n, m, squares := float64(len(d)), mean(d), 0.0
	if !(c*c < n) {
		return math.Inf(1)
	}
	for _, x := range d {
		squares += (x - m) * (x - m)
	}
	sd, t := math.Sqrt(squares/(n-1)), c*math.Sqrt((n-1)/(n-c*c))
	return (t + tQuantile(0.8, len(d)-1)) * sd / math.Sqrt(n)
}
