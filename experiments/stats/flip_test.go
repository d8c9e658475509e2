package stats

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestFamilyByHand: two differences in six blocks whose 32 flips can be written
// down.
func TestFamilyByHand(t *testing.T) {
	one := []float64{1, 1, 1, 1, 1, 1}
	tests := must(Family([][]float64{one}))
	if x := tests[0]; x.P != 1.0/32 || x.N != 6 || x.Center != 1 || x.Lo != 1 || x.Hi != 1 {
		t.Errorf("equal blocks: %+v", x)
	}
	// The other has one sign against it: 7 of 32 flips are as large. Together one
	// more flip is as large as the larger: that which turns the sign round.
	two := []float64{1, 1, 1, 1, 1, -1}
	both := must(Family([][]float64{two, one}))
	near(t, "the larger", both[1].P, 2.0/32, 1e-12)
	near(t, "the smaller", both[0].P, 7.0/32, 1e-12)
	if both[0].Lo > 0 || both[0].Hi < 0 || both[1].Lo > 0 {
		t.Errorf("intervals %+v", both)
	}
	// Independent signs: the corrected p of the larger counts flips of either.
	apart := must(Family([][]float64{{1, 1, 1, 1, 1, 1}, {1, -1, 1, -1, 1, -1}}))
	near(t, "two patterns", apart[0].P, 2.0/32, 1e-12)
	none := must(Family([][]float64{{0, 0, 0, 0, 0, 0}}))
	if x := none[0]; x.P != 1 || x.Lo != 0 || x.Hi != 0 {
		t.Errorf("no difference at all: %+v", x)
	}
	few := must(Family([][]float64{{1, 2, 3, 4}}))
	if x := few[0]; !math.IsInf(x.Lo, -1) || !math.IsInf(x.Hi, 1) || !math.IsInf(x.Found, 1) || x.P != 0.125 {
		t.Errorf("four blocks cannot decide: %+v", x)
	}
}

// TestMissingBlocks: a block in which a difference was not measured says nothing
// of it, and changes no other difference.
func TestMissingBlocks(t *testing.T) {
	nan := math.NaN()
	whole := []float64{3, 1, 2, 4, 2, 3, 2, 1}
	tests := must(Family([][]float64{{3, nan, 2, 4, 2, 3, 2, 1}, whole}))
	alone := must(Interval(whole))
	if x := tests[0]; x.N != 7 || x.Center != 17.0/7 || x.P > 2.0/64 || !(x.Lo > 0) {
		t.Errorf("seven of eight: %+v", x)
	}
	if x := tests[1]; x.N != 8 || x.P != alone.P || !(x.Lo > 0) {
		t.Errorf("all of eight: %+v", x)
	}
	few := must(Family([][]float64{{2, 2, nan, 2, 2, 2}, {1, 1, 1, 1, 1, 1}}))
	if x := few[0]; x.P != 2.0/32 || !math.IsInf(x.Lo, -1) || few[1].P > 0.05 {
		t.Errorf("five of six cannot decide: %+v", few)
	}
	if err := second(Family([][]float64{{nan, nan}})); err == nil {
		t.Error("a difference that was never measured is taken")
	}
	for p, want := range map[float64]int{0.05: 6, 0.5: 2, 0.01: 8, 2: 1} {
		if got := Needs(p); got != want {
			t.Errorf("p of %g needs %d, not %d", p, got, want)
		}
	}
}

// twoSided is the p of a difference alone.
func twoSided(d []float64) float64 {
	p, _ := newFlips([][]float64{d}).stepDown()
	return p[0]
}

// TestIntervalInverts: values inside the interval are those that the test does
// not reject.
func TestIntervalInverts(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed, 3))
	for _, n := range []int{6, 8, 11} {
		d := normals(rng, n, 0.3, 1)
		x := must(Interval(d))
		rejects := func(at float64) bool {
			y := make([]float64, n)
			for i := range d {
				y[i] = d[i] - at
			}
			return twoSided(y) <= 1-level
		}
		const by = 1e-6
		if rejects(x.Lo+by) || !rejects(x.Lo-by) || rejects(x.Hi-by) || !rejects(x.Hi+by) {
			t.Errorf("%d blocks: the bounds %g and %g are not where the test turns", n, x.Lo, x.Hi)
		}
	}
}

// TestOneSided: against a margin.
func TestOneSided(t *testing.T) {
	d := []float64{3, 2, 4, 3, 2, 3, 4, 3}
	near(t, "above 1", must(Above(d, 1)), 1.0/256, 1e-12)
	near(t, "below 1", must(Below(d, 1)), 1, 1e-12)
	near(t, "below 5", must(Below(d, 5)), 1.0/256, 1e-12)
	if err := second(Above([]float64{1, math.NaN()}, 0)); err == nil {
		t.Error("a block without a value is taken")
	}
}

// TestManyBlocks: beyond the exact range flips are drawn, and say the same.
func TestManyBlocks(t *testing.T) {
	rng := rand.New(rand.NewPCG(seed, 4))
	d := normals(rng, 40, 0.5, 1)
	x, half := must(Interval(d)), tQuantile(0.975, 39)/math.Sqrt(40)
	near(t, "lower bound", x.Lo, mean(d)-half, 0.12)
	near(t, "upper bound", x.Hi, mean(d)+half, 0.12)
	if x.P > 0.02 {
		t.Errorf("p is %g", x.P)
	}
}

// A machine makes logarithms of times as the review of this instrument found
// them: drift that is autocorrelated and has steps, a deviation of every start,
// and samples that are skewed with a heavy tail.
type machine struct {
	rng            *rand.Rand
	start          float64 // deviation of starts
	drift, current float64
}

// tick lets time pass.
func (m *machine) tick() float64 {
	m.current = 0.9*m.current + m.drift*m.rng.NormFloat64()
	if m.rng.IntN(40) == 0 {
		m.current += 5 * m.drift * m.rng.NormFloat64()
	}
	return m.current
}

// noise is skewed, and sometimes large.
func (m *machine) noise() float64 {
	x := 0.01 * m.rng.ExpFloat64()
	if m.rng.IntN(20) == 0 {
		x *= 10
	}
	return x
}

// group measures arms that do the same work, at points: in blocks of starts in
// random order, times [arm][point][block], each the mean of some samples. Half
// of what starts differ by is common to all points.
func (m *machine) group(arms, points, blocks, samples int) [][][]float64 {
	out := make([][][]float64, arms)
	for a := range out {
		out[a] = make([][]float64, points)
		for p := range out[a] {
			out[a][p] = make([]float64, blocks)
		}
	}
	for b := range blocks {
		for _, a := range m.rng.Perm(arms) {
			common := m.start * math.Sqrt(0.5) * m.rng.NormFloat64()
			for p := range points {
				own := m.start * math.Sqrt(0.5) * m.rng.NormFloat64()
				sum := 0.0
				for range samples {
					sum += m.tick() + m.noise()
				}
				out[a][p][b] = common + own + sum/float64(samples)
			}
		}
	}
	return out
}

// differences of every arm from the first, at every point.
func fromFirst(times [][][]float64) (d [][]float64) {
	for _, arm := range times[1:] {
		for p := range arm {
			x := make([]float64, len(arm[p]))
			for b := range x {
				x[b] = arm[p][b] - times[0][p][b]
			}
			d = append(d, x)
		}
	}
	return d
}

// tooMany is the most of n false verdicts that a level of 5 % makes plausible:
// its 99 % point.
func tooMany(n int) int {
	return int(0.05*float64(n) + 2.33*math.Sqrt(0.05*0.95*float64(n)))
}

var machines = []struct{ start, drift float64 }{{0, 0}, {0, 0.02}, {0.02, 0.005}, {0.04, 0.02}, {0.08, 0}, {0.08, 0.02}}

// TestFamilyFalseVerdicts: of groups of identical arms at most 5 % hold any
// significant difference.
func TestFamilyFalseVerdicts(t *testing.T) {
	const groups = 400
	for _, c := range machines {
		m := &machine{rng: rand.New(rand.NewPCG(seed, 5)), start: c.start, drift: c.drift}
		for _, blocks := range []int{8, 10} {
			n := 0
			for range groups {
				tests := must(Family(fromFirst(m.group(4, 5, blocks, 3))))
				if slices.ContainsFunc(tests, func(x Test) bool { return x.P <= 1-level }) {
					n++
				}
				for _, x := range tests {
					if (x.Lo > 0 || x.Hi < 0) != (x.P <= 1-level) {
						t.Fatalf("the interval [%g, %g] and p %g disagree", x.Lo, x.Hi, x.P)
					}
				}
			}
			if n > tooMany(groups) {
				t.Errorf("starts deviate by %g, drift %g, %d blocks: %d of %d groups hold a false verdict", c.start, c.drift, blocks, n, groups)
			}
		}
	}
}

// TestRoundsOfOneStart: rounds within one start of every arm, tested with Holm's
// correction, are no blocks: with the same deviations far more than 5 % of
// groups hold a false verdict.
func TestRoundsOfOneStart(t *testing.T) {
	const groups, rounds = 200, 12
	m := &machine{rng: rand.New(rand.NewPCG(seed, 6)), start: 0.04, drift: 0.005}
	n := 0
	for range groups {
		times := m.group(4, 5, 1, 1)
		wide := make([][][]float64, len(times))
		for a := range times {
			wide[a] = make([][]float64, len(times[a]))
		}
		for range rounds {
			for a := range times {
				for p := range times[a] {
					wide[a][p] = append(wide[a][p], times[a][p][0]+m.tick()+m.noise())
				}
			}
		}
		var p []float64
		for _, d := range fromFirst(wide) {
			p = append(p, twoSided(d))
		}
		if slices.Min(Holm(p)) <= 1-level {
			n++
		}
	}
	if n < 3*tooMany(groups) {
		t.Errorf("only %d of %d groups hold a false verdict: the simulation shows nothing", n, groups)
	}
}

// TestClaimsFalseVerdicts: of studies of identical models, trained with paired
// seeds of which one in four diverges, at most 5 % hold any claim that is
// decided, corrected together. Student's interval without correction decides far
// more.
func TestClaimsFalseVerdicts(t *testing.T) {
	const studies, claims, seeds = 400, 10, 8
	rng := rand.New(rand.NewPCG(seed, 7))
	loss := func() float64 {
		x := 0.02*rng.NormFloat64() + 0.02*rng.ExpFloat64()
		if rng.IntN(4) == 0 {
			x += 1 + rng.ExpFloat64()
		}
		return x
	}
	n, student := 0, 0
	for range studies {
		var p []float64
		decided := false
		for range claims {
			d := make([]float64, seeds)
			for i := range d {
				d[i] = loss() - loss()
			}
			p = append(p, must(Below(d, 0)))
			s := must(Mean(d))
			decided = decided || s.Hi < 0
		}
		if slices.Min(Holm(p)) <= 1-level {
			n++
		}
		if decided {
			student++
		}
	}
	if n > tooMany(studies) {
		t.Errorf("%d of %d studies hold a false verdict", n, studies)
	}
	if student < tooMany(studies) {
		t.Errorf("Student's interval makes %d of %d: the simulation shows nothing", student, studies)
	}
}

// TestFound: a difference of the size that a group says it finds is found with
// about the probability it says.
func TestFound(t *testing.T) {
	const groups = 300
	for _, blocks := range []int{8, 12} {
		m := &machine{rng: rand.New(rand.NewPCG(seed, 8)), start: 0.04, drift: 0.005}
		var all []float64
		for range 41 {
			all = append(all, must(Family(fromFirst(m.group(3, 2, blocks, 3))))[0].Found)
		}
		slices.Sort(all)
		say := all[20]
		found := 0
		for range groups {
			d := fromFirst(m.group(3, 2, blocks, 3))
			for i := range d[0] {
				d[0][i] += say
			}
			if must(Family(d))[0].P <= 1-level {
				found++
			}
		}
		if share := float64(found) / groups; share < 0.65 || share > 0.95 {
			t.Errorf("%d blocks: a difference of %.3f is found with probability %.2f", blocks, say, share)
		}
	}
}
