package reports

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"

	"workbench/experiments/record"
	"workbench/experiments/stats"
)

// alpha is the probability of a false verdict: in a group of timed samples, in
// the scores of a part, and in the claims of a study.
const alpha = 0.05

// A family is every arm against the baseline in one quantity of a workload, at
// all positions that both have: one test. Quantities that vary with the seed
// differ by a difference, timed ones by a logarithm of a ratio.
type family struct {
	tests   map[place]stats.Test
	placebo map[float64]stats.Test // of the baseline's second process, by position
	why     string                 // it decides nothing
}

type place struct {
	arm string
	x   float64
}

// The reasons why timed samples decide nothing.
const (
	noBlocks = "the samples were not taken in blocks"
	oneStart = "rounds of one start are no repetitions"
)

// notRepeated tells why a quantity of a workload was not repeated, "" where it
// was: what is timed must come from several starts of every process, and only a
// run that has them has a placebo.
func (part *partView) notRepeated(workload string, q record.Quantity) string {
	inBlock := func(r *record.Record) bool { return r.Keys[record.KeyBlock] != nil }
	switch {
	case q.Kind != record.Timed:
		return ""
	case !slices.ContainsFunc(part.inWorkload(workload), inBlock):
		return noBlocks
	case part.Placebo == "" && len(part.placebo) == 0:
		return oneStart
	}
	return ""
}

// repetitions is what a quantity's numbers are paired by.
func (part *partView) repetitions(workload string, q record.Quantity) string {
	switch {
	case q.Kind == record.Seeded:
		return "seed"
	case part.notRepeated(workload, q) == "":
		return "block"
	}
	return "round"
}

// family tests a quantity of a workload, once.
func (part *partView) family(workload string, q record.Quantity) *family {
	key := [2]string{workload, q.Name}
	if f := part.families[key]; f != nil {
		return f
	}
	f := &family{why: part.notRepeated(workload, q)}
	part.families[key] = f
	if f.why != "" || q.Kind != record.Timed && q.Kind != record.Seeded {
		return f
	}
	over := part.view.axisKey(workload)
	base := part.samplesAlong(part.Baseline, workload, over, q)
	rows := map[place]map[uint64]float64{}
	add := func(rows map[place]map[uint64]float64, arm string, ps []samplesAt) {
		for _, p := range ps {
			if b, ok := samplesIn(base, p.x); ok {
				rows[place{arm, p.x}] = apart(q, p, b)
			}
		}
	}
	for _, arm := range part.Arms {
		if arm != part.Baseline {
			add(rows, arm, part.samplesAlong(arm, workload, over, q))
		}
	}
	f.tests = tested(rows)
	if second := along(part.placeboIn(workload), over, q); len(second) > 0 {
		again := map[place]map[uint64]float64{}
		add(again, "", second)
		f.placebo = map[float64]stats.Test{}
		for at, t := range tested(again) {
			f.placebo[at.x] = t
		}
	}
	return f
}

// apart is what a is from b in every block or for every seed: the logarithm of
// the ratio of a timed quantity, the difference of another.
func apart(q record.Quantity, a, b samplesAt) map[uint64]float64 {
	x, y := a.by, b.by
	if q.Kind == record.Timed {
		x, y = a.logs, b.logs
	}
	return minusBy(x, y)
}

// minusBy is x minus y where both have a number.
func minusBy(x, y map[uint64]float64) map[uint64]float64 {
	d := map[uint64]float64{}
	for k := range x {
		if v, ok := y[k]; ok && finite(x[k]) && finite(v) {
			d[k] = x[k] - v
		}
	}
	return d
}

// tested is the family of differences, those without a number left out.
func tested(rows map[place]map[uint64]float64) map[place]stats.Test {
	blocks := map[uint64]bool{}
	var places []place
	for at, row := range rows {
		if len(row) == 0 {
			continue
		}
		places = append(places, at)
		for k := range row {
			blocks[k] = true
		}
	}
	slices.SortFunc(places, func(a, b place) int {
		if a.arm != b.arm {
			return cmp.Compare(a.arm, b.arm)
		}
		return cmp.Compare(a.x, b.x)
	})
	d := make([][]float64, len(places))
	for i, at := range places {
		for _, k := range slices.Sorted(maps.Keys(blocks)) {
			x, ok := rows[at][k]
			if !ok {
				x = math.NaN()
			}
			d[i] = append(d[i], x)
		}
	}
	tests, err := stats.Family(d)
	if err != nil {
		panic("reports: " + err.Error()) // all numbers are finite
	}
	out := map[place]stats.Test{}
	for i, at := range places {
		out[at] = tests[i]
	}
	return out
}

// placeboP is the smallest p of the placebo at any position: that of a group in
// which nothing differs. ok is false without a placebo.
func (f *family) placeboP() (p float64, t stats.Test, ok bool) {
	p = 1
	for _, x := range slices.Sorted(maps.Keys(f.placebo)) {
		if at := f.placebo[x]; !ok || at.P < p {
			p, t, ok = at.P, at, true
		}
	}
	return p, t, ok
}

// placeboRemark says beside a group what its placebo shows.
func (f *family) placeboRemark() string {
	p, t, ok := f.placeboP()
	switch {
	case !ok:
		return ""
	case p <= alpha:
		return fmt.Sprintf(" A second process of the baseline differs from the first as well, by %s (p %s).", percent(math.Abs(math.Expm1(t.Center))), pEquals(p))
	}
	return fmt.Sprintf(" A second process of the baseline is not told from the first (p %s).", pEquals(p))
}

// mainTimed are the timed quantities of a part that are compared in a workload.
func (part *partView) mainTimed(workload string) []record.Quantity {
	var out []record.Quantity
	for _, name := range part.view.names {
		if q := part.quantity(name); q.Main && q.Kind == record.Timed && len(part.samplesAlong(part.Baseline, workload, part.view.axisKey(workload), q)) > 0 {
			out = append(out, q)
		}
	}
	return out
}

// unfit says that more groups tell the baseline from itself than chance lets
// them, "" where they do not: then no timed comparison of the run is to be
// believed. A group counts once, with its first timed quantity.
func (v *view) unfit() string {
	groups, differ := 0, 0
	for _, part := range v.parts {
		for _, w := range part.workloads() {
			timed := part.mainTimed(w.Name)
			if len(timed) == 0 {
				continue
			}
			p, t, ok := part.family(w.Name, timed[0]).placeboP()
			if !ok || stats.LeastP(t.N) > alpha {
				continue
			}
			if groups++; p <= alpha {
				differ++
			}
		}
	}
	if most := chanceMost(groups); differ > most {
		return fmt.Sprintf("Unfit for timed comparisons: in %d of %s a second process of the baseline differs from the first at the level of %g; chance gives at most %d, with probability .99.",
			differ, count(groups, "group"), alpha, most)
	}
	return ""
}

// chanceMost is the most of n groups that differ by chance: the 99 % point of
// the binomial distribution.
func chanceMost(n int) int {
	k, term := 0, math.Pow(1-alpha, float64(n))
	for sum := term; sum < 0.99; sum += term {
		term *= float64(n-k) / float64(k+1) * alpha / (1 - alpha)
		k++
	}
	return k
}
