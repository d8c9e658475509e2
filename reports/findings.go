package reports

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"workbench/experiments/record"
	"workbench/experiments/stats"
)

// A finding is what the records give a rule to judge: a number for every block
// or seed, or one that was counted; or why there is none.
type finding struct {
	counted bool
	d       []float64 // by block or seed
	per     string    // "block" or "seed"
	x       float64   // the position
	iv      interval  // the statistic
	unit    string
	verdict string // set when it decides nothing
	why     string
}

func missing(format string, args ...any) finding {
	return finding{verdict: NotMeasured, why: fmt.Sprintf(format, args...)}
}

func undecided(format string, args ...any) finding {
	return finding{verdict: NotDecided, why: fmt.Sprintf(format, args...)}
}

// ofNumbers is the finding of numbers by block or seed, logarithms of a ratio.
func ofNumbers(by map[uint64]float64, logs bool, per, unit string) finding {
	f := finding{d: inOrder(by), per: per, unit: unit}
	t, err := stats.Interval(f.d)
	if err != nil {
		return missing("no %s has both numbers", per)
	}
	f.iv = ofTest(t, logs, per)
	return f
}

// numbers shows the statistic with its interval, "n/a" without one.
func (f finding) numbers() string {
	if f.iv.n == 0 {
		return "n/a"
	}
	return f.iv.text(f.unit)
}

// find computes the statistic of a rule.
func (v *view) find(r record.Rule) finding {
	part := v.part(r.Part)
	if part == nil {
		return missing("the run has no part %q", r.Part)
	}
	if r.Kind == record.RuleCheck {
		return v.findCheck(part, r)
	}
	q, over := part.quantity(r.Metric), v.over(r)
	if q.Kind == record.Estimated {
		return undecided("%s is an estimate, which decides nothing", q.Title)
	}
	a := part.samplesAlong(r.Arch, r.Phase, over, q)
	if len(a) == 0 {
		return v.absent(part, r.Arch, r.Phase, q)
	}
	var f finding
	switch r.Kind {
	case record.RuleSlope:
		f = findSlope(a, q, over, part.repetitions(r.Phase, q))
	case record.RuleRatio, record.RuleDifference:
		f = v.findPair(part, r, q, over, a)
	default:
		return undecided("unknown kind of rule %q: known are %s", r.Kind, strings.Join(record.RuleKinds, ", "))
	}
	if why := part.notRepeated(r.Phase, q); why != "" && f.verdict == "" {
		f.iv = f.iv.alone(why)
		f.verdict, f.why = NotDecided, why
	}
	return f
}

// absent says what is missing: a cell that failed gives its reason, and so does
// a quantity that could not be measured, in no model or in this one. No workload
// stands for all of those without an axis.
func (v *view) absent(part *partView, arm, workload string, q record.Quantity) finding {
	within := func(name string) bool { return name == workload || workload == "" && v.axis(name) == nil }
	for i := range v.all {
		r := &v.all[i]
		if r.Error != "" && r.Text(record.KeyPart) == part.Name && r.Text(record.KeyArm) == arm && within(r.Text(record.KeyWorkload)) {
			return missing("%s of %s: the cell failed: %s", r.Text(record.KeyWorkload), arm, shorten(r.Error, 120))
		}
	}
	var records []*record.Record
	for _, r := range part.records {
		if r.Text(record.KeyArm) == arm && within(r.Text(record.KeyWorkload)) {
			records = append(records, r)
		}
	}
	what := q.Title
	if workload != "" {
		what += " in " + workload
	}
	switch why := whyMissing(records, q.Name); {
	case why == "":
		return missing("%s of %s", what, arm)
	case !v.measured(q.Name):
		return undecided(onThisMachine+"no %s (%s)", q.Title, why)
	default:
		return undecided("no %s of %s: %s", what, arm, why)
	}
}

// whyMissing is the first reason why records hold no number of a quantity, ""
// without any.
func whyMissing(records []*record.Record, name string) string {
	for _, r := range records {
		if x := r.Find(name); x != nil && x.Value == nil && x.Reason != "" {
			return strings.TrimSuffix(x.Reason, ".")
		}
	}
	return ""
}

// measured tells whether any record of the run has a number for a quantity.
func (v *view) measured(name string) bool {
	return slices.ContainsFunc(v.all, func(r record.Record) bool {
		_, ok := r.Value(name)
		return ok && r.Error == ""
	})
}

func (v *view) findPair(part *partView, r record.Rule, q record.Quantity, over string, a []samplesAt) finding {
	var b []samplesAt
	x, per := r.At, part.repetitions(r.Phase, q)
	switch {
	case r.Than != "":
		if b = part.samplesAlong(r.Than, r.Phase, over, q); len(b) == 0 {
			return v.absent(part, r.Than, r.Phase, q)
		}
		if x == 0 {
			if x = largestCommon(a, b); math.IsNaN(x) {
				return missing("no %s that both %s and %s were measured at", over, r.Arch, r.Than)
			}
		}
	case r.Kind == record.RuleRatio:
		return undecided("a ratio needs `than`")
	case x == 0:
		x = a[len(a)-1].x
	}
	pa, ok := samplesIn(a, x)
	if !ok {
		return missing("%s of %s at %s %g", q.Title, r.Arch, over, x)
	}
	if r.Than == "" {
		if q.Kind == record.Exact {
			return finding{counted: true, iv: summarize(q, pa), unit: q.Unit}
		}
		return ofNumbers(pa.by, false, per, q.Unit)
	}
	pb, ok := samplesIn(b, x)
	switch {
	case !ok:
		return missing("%s of %s at %s %g", q.Title, r.Than, over, x)
	case r.Kind == record.RuleRatio && q.Kind == record.Exact:
		return finding{counted: true, iv: exact(median(pa.all)/median(pb.all), len(pa.all)), unit: "×"}
	case r.Kind == record.RuleRatio:
		f := ofNumbers(minusBy(pa.logs, pb.logs), true, per, "×")
		f.x = x
		return f
	case q.Kind == record.Exact:
		return finding{counted: true, iv: exact(median(pa.all)-median(pb.all), len(pa.all)), unit: q.Unit}
	}
	return ofNumbers(minusBy(pa.by, pb.by), false, per, q.Unit)
}

// largestCommon is the largest position that both series have.
func largestCommon(a, b []samplesAt) float64 {
	for i := len(a) - 1; i >= 0; i-- {
		if _, ok := samplesIn(b, a[i].x); ok {
			return a[i].x
		}
	}
	return math.NaN()
}

func samplesIn(ps []samplesAt, x float64) (samplesAt, bool) {
	for _, p := range ps {
		if p.x == x {
			return p, true
		}
	}
	return samplesAt{}, false
}

// findSlope fits the exponent of growth along the positions above zero: in every
// block or for every seed that holds them all.
func findSlope(ps []samplesAt, q record.Quantity, over, per string) finding {
	ps = slices.DeleteFunc(slices.Clone(ps), func(p samplesAt) bool { return p.x <= 0 })
	if len(ps) < 2 {
		return missing("a slope needs two values of %s above zero, %d measured", over, len(ps))
	}
	var x []float64
	logs := map[uint64][]float64{}
	for _, p := range ps {
		x = append(x, math.Log(p.x))
		if slices.Min(p.all) <= 0 {
			return undecided("a log-log slope needs values above zero")
		}
		for k, y := range p.logs {
			logs[k] = append(logs[k], y)
		}
	}
	if q.Kind == record.Exact {
		var y []float64
		for _, p := range ps {
			y = append(y, math.Log(median(p.all)))
		}
		return finding{counted: true, iv: exact(stats.Slope(x, y), len(ps))}
	}
	by := map[uint64]float64{}
	for k, y := range logs {
		if len(y) == len(x) {
			by[k] = stats.Slope(x, y)
		}
	}
	if len(by) == 0 {
		return missing("no %s holds every %s", per, over)
	}
	return ofNumbers(by, false, per, "")
}

// findCheck takes the worst value of a counted quantity among the arm's
// records. A number that is not finite is below nothing.
func (v *view) findCheck(part *partView, r record.Rule) finding {
	worst, n := 0.0, 0
	for _, rec := range part.records {
		x := rec.Find(r.Metric)
		if rec.Text(record.KeyArm) != r.Arch || x == nil || x.Kind != record.Exact || x.Value == nil && x.Reason != "" {
			continue
		}
		y := math.Inf(1)
		if x.Value != nil {
			y = *x.Value
		}
		if n == 0 || y > worst {
			worst = y
		}
		n++
	}
	if n == 0 {
		return v.absent(part, r.Arch, r.Phase, record.Quantity{Name: r.Metric, Title: "check " + r.Metric})
	}
	if math.IsInf(worst, 1) {
		f := undecided("the check %s gave no finite number", r.Metric)
		if r.Below != nil {
			f.verdict = Fails
		}
		return f
	}
	return finding{counted: true, iv: exact(worst, n)}
}
