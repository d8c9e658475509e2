package experiments

import (
	"fmt"
	"slices"
	"strings"

	"workbench/experiments/record"
	"workbench/experiments/workload"
)

// axisOf names what the points of a workload are, "" where it has none.
func axisOf(name string) string {
	if w := workload.Find(name); w != nil && w.Axis != nil {
		return w.Axis.Key
	}
	return ""
}

// checkClaims refuses rules about what the study has with no profile.
func (s *Study) checkClaims(have map[string]*facts) error {
	ids := map[string]bool{}
	for i, c := range s.Claims {
		if c.ID == "" || ids[c.ID] {
			return faultf(at("claims", i, "id"), "claim %q: every claim has an id of its own", c.ID)
		}
		ids[c.ID] = true
		for j, r := range c.Rules {
			if key, why := checkRule(r, have); why != "" {
				return faultf(at("claims", i, "rules", j, key), "claim %s: %s", c.ID, why)
			}
			if r.Control == nil {
				continue
			}
			control := r.OfControl()
			if key, why := checkRule(control, have); why != "" {
				return faultf(at("claims", i, "rules", j, "control", key), "claim %s: control: %s", c.ID, why)
			}
			if r.Control = nil; control == r {
				return faultf(at("claims", i, "rules", j, "control"), "claim %s: the control is the rule itself", c.ID)
			}
		}
	}
	return nil
}

// checkRule says what is wrong with a rule, and under which of its keys.
func checkRule(r record.Rule, have map[string]*facts) (key, why string) {
	f := have[r.Part]
	switch {
	case !slices.Contains(record.RuleKinds, r.Kind):
		return "kind", fmt.Sprintf("unknown kind of rule %q (known: %s)", r.Kind, strings.Join(record.RuleKinds, ", "))
	case f == nil:
		return "part", fmt.Sprintf("there is no part %q", r.Part)
	case r.Below == nil && r.Above == nil:
		return "kind", "a rule has a threshold, below or above"
	case r.Below != nil && r.Above != nil && *r.Above >= *r.Below:
		return "above", fmt.Sprintf("nothing is above %g and below %g", *r.Above, *r.Below)
	case f.labels[r.Arch] == "":
		return "arch", fmt.Sprintf("part %s has no model %q (it has: %s)", r.Part, r.Arch, sortedList(f.labels))
	case r.Than != "" && f.labels[r.Than] == "":
		return "than", fmt.Sprintf("part %s has no model %q (it has: %s)", r.Part, r.Than, sortedList(f.labels))
	case r.Than == r.Arch:
		return "than", fmt.Sprintf("%s is compared with itself", r.Arch)
	case r.Kind == record.RuleCheck:
		return f.checkCheck(r)
	}
	if key, why = f.checkAxis(r); why == "" {
		key, why = f.checkMetric(r)
	}
	return key, why
}

// checkCheck is checkRule for the kind check.
func (f *facts) checkCheck(r record.Rule) (key, why string) {
	switch {
	case r.Phase != "" && f.yields[r.Phase] == nil:
		return "phase", fmt.Sprintf("a check is of one of the workloads %s, not %q", sortedList(f.yields), r.Phase)
	case r.Than != "":
		return "than", "a check is of one model: than is not used"
	case r.Over != "":
		return "over", "a check has no axis: over is not used"
	case r.At != 0:
		return "at", "a check has no axis: at is not used"
	}
	have := map[string]bool{}
	for name, yields := range f.yields {
		if r.Phase != "" && r.Phase != name {
			continue
		}
		for _, q := range record.Quantities() {
			switch of := yields[q.Name]; {
			case of == nil || !isCheck(q):
			case q.Name == r.Metric && !of[r.Arch]:
				return "metric", fmt.Sprintf("check %s does not apply to %s", r.Metric, r.Arch)
			default:
				have[q.Name] = true
			}
		}
	}
	if !have[r.Metric] {
		return "metric", fmt.Sprintf("part %s has no check %q (it has: %s)", r.Part, r.Metric, sortedList(have))
	}
	return "", ""
}

// checkAxis checks the workload of a rule and the points that it is about.
func (f *facts) checkAxis(r record.Rule) (key, why string) {
	points, timed := f.points[r.Phase]
	axis := axisOf(r.Phase)
	switch {
	case !timed && f.yields[r.Phase] == nil:
		return "phase", fmt.Sprintf("part %s has no phase %q (it has: %s)", r.Part, r.Phase, f.workloads())
	case axis == "" && (r.Over != "" || r.At != 0 || r.Kind == record.RuleSlope):
		return "phase", fmt.Sprintf("phase %s has no axis: a slope, over and at are not used with it", r.Phase)
	case r.Over != "" && r.Over != axis:
		return "over", fmt.Sprintf("phase %s has the axis %s, not %q", r.Phase, axis, r.Over)
	case r.At != 0 && !slices.Contains(points, r.At):
		return "at", fmt.Sprintf("%s %g is not measured in part %s (it measures: %s)", axis, r.At, r.Part, pointList(points))
	case r.Kind == record.RuleRatio && r.Than == "":
		return "kind", "a ratio needs than, the model it is over"
	case r.Kind == record.RuleSlope && r.Than != "":
		return "than", "a slope is of one model: than is not used"
	case r.Kind == record.RuleSlope && r.At != 0:
		return "at", "a slope is over all of the axis: at is not used"
	}
	return "", ""
}

// workloads lists what the part measures.
func (f *facts) workloads() string {
	names := map[string]bool{}
	for name := range f.points {
		names[name] = true
	}
	for name := range f.yields {
		names[name] = true
	}
	return sortedList(names)
}

// pointList names positions once each, rising.
func pointList(points []float64) string {
	return strings.Trim(fmt.Sprint(slices.Compact(slices.Sorted(slices.Values(points)))), "[]")
}

// checkMetric checks that records of the rule's workload hold its quantity.
func (f *facts) checkMetric(r record.Rule) (key, why string) {
	yields, whole := f.yields[r.Phase]
	switch i := slices.IndexFunc(record.Quantities(), func(q record.Quantity) bool { return q.Is(r.Metric) }); {
	case i < 0:
		return "metric", fmt.Sprintf("unknown metric %q (known: %s)", r.Metric, strings.Join(knownMetrics(), ", "))
	case isCheck(record.Quantities()[i]):
		return "kind", fmt.Sprintf("%s is judged by rules of kind %s", r.Metric, record.RuleCheck)
	case whole && yields[r.Metric] == nil && !workload.Counts(r.Metric):
		return "metric", fmt.Sprintf("phase %s of part %s does not measure %s (it measures: %s)", r.Phase, r.Part, r.Metric, sortedList(yields))
	case !whole && !workload.Find(r.Phase).Yields(r.Metric):
		return "metric", fmt.Sprintf("phase %s does not measure %s", r.Phase, r.Metric)
	}
	return "", ""
}

// isCheck tells that a quantity is how far a model is from an exact property.
func isCheck(q record.Quantity) bool { return q.Kind == record.Exact && q.Unit == "" }

// knownMetrics are the names that a rule may judge, but for checks.
func knownMetrics() (names []string) {
	for _, q := range record.Quantities() {
		switch {
		case isCheck(q):
		case strings.HasSuffix(q.Name, ":"):
			names = append(names, q.Name+"NAME")
		default:
			names = append(names, q.Name)
		}
	}
	return names
}
