package reports

import (
	"fmt"
	"strings"

	"workbench/experiments/record"
	"workbench/experiments/stats"
)

// Verdicts of a claim.
const (
	Holds       = "holds"
	Fails       = "fails"
	NotDecided  = "not decided"
	NotMeasured = "not measured yet"
)

// A Judgement is a claim with what the records say of it.
type Judgement struct {
	record.Claim
	Verdict string
	Why     string // reason for a verdict that decides nothing
	P       string // of the side that is nearer to being shown, corrected for all claims
	Rules   []RuleResult

	holds, fails float64 // p of the claim
}

// onThisMachine begins a reason that lies with the machine and not with a model.
const onThisMachine = "on this machine: "

// judge applies the rules of all claims, and corrects what is tested for their
// number by Holm's method.
func (v *view) judge(claims []record.Claim) []Judgement {
	out := make([]Judgement, len(claims))
	var tested []*Judgement
	for i, c := range claims {
		out[i] = v.withRules(c)
		if out[i].tested() {
			tested = append(tested, &out[i])
		}
	}
	holds, fails := make([]float64, len(tested)), make([]float64, len(tested))
	for i, j := range tested {
		holds[i], fails[i] = j.holds, j.fails
	}
	holds, fails = stats.Holm(holds), stats.Holm(fails)
	for i, j := range tested {
		j.holds, j.fails = holds[i], fails[i]
		j.P = pText(min(holds[i], fails[i]))
	}
	for i := range out {
		out[i].decide(len(tested))
	}
	return out
}

// withRules is a claim with its rules applied. All of them must hold, so its p
// is the largest of theirs; one suffices to fail it, so that p is the smallest,
// as many times as there are tests.
func (v *view) withRules(c record.Claim) Judgement {
	j := Judgement{Claim: c, P: "n/a", fails: 1}
	tests := 0
	for _, r := range c.Rules {
		res := v.apply(r)
		j.Rules = append(j.Rules, res)
		if res.tested || res.Verdict != Holds {
			j.holds = max(j.holds, res.holds)
		}
		if res.tested {
			j.fails = min(j.fails, res.fails/float64(res.tests))
			tests += res.tests
		}
	}
	j.fails = min(1, j.fails*float64(max(1, tests)))
	return j
}

func (j *Judgement) tested() bool {
	for _, r := range j.Rules {
		if r.tested {
			return true
		}
	}
	return false
}

// decide says what the rules say together: one that fails decides, then one that
// is not measured, then one that may not decide, then the corrected p.
func (j *Judgement) decide(tested int) {
	if len(j.Rules) == 0 {
		j.Verdict, j.Why = NotMeasured, j.Claim.Why
		return
	}
	for _, r := range j.Rules {
		if r.Verdict == Fails && !r.tested {
			j.Verdict = Fails
			return
		}
	}
	if j.tested() && j.fails <= alpha {
		j.Verdict = Fails
		return
	}
	for _, verdict := range []string{NotMeasured, NotDecided} {
		for _, r := range j.Rules {
			if r.Verdict == verdict && !r.open {
				j.Verdict, j.Why = verdict, r.Why
				return
			}
		}
	}
	if !j.tested() || j.holds <= alpha {
		j.Verdict = Holds
		return
	}
	j.Verdict, j.Why = NotDecided, j.undecided(tested)
}

// undecided is why the p of a claim that is tested with others decides nothing:
// too few repetitions for any, or what they show.
func (j *Judgement) undecided(tested int) string {
	among := ""
	if tested > 1 {
		among = fmt.Sprintf(" among %s", count(tested, "claim"))
	}
	for _, r := range j.Rules {
		if r.tested && r.least*float64(tested) > alpha {
			return needs(stats.Needs(2*alpha/float64(tested)), r.per) + among
		}
	}
	return fmt.Sprintf("p %s that it holds and %s that it fails%s", pEquals(j.holds), pEquals(j.fails), strings.Replace(among, "among", "corrected for", 1))
}

// numbers are the statistics of the rules, with the corrected p where there is
// one.
func (j Judgement) numbers() string {
	var out []string
	for _, r := range j.Rules {
		out = append(out, r.Numbers)
	}
	s := strings.Join(out, "; ")
	if j.tested() {
		s += fmt.Sprintf(" (corrected p %s)", pEquals(min(j.holds, j.fails)))
	}
	return s
}

// short is the verdict with its reason.
func (j Judgement) short() string {
	switch {
	case j.Why == "", j.Verdict == Holds, j.Verdict == Fails:
		return j.Verdict
	case strings.HasPrefix(j.Why, onThisMachine):
		return j.Verdict + " " + j.Why
	}
	return j.Verdict + " (" + j.Why + ")"
}
