package reports

import (
	"cmp"
	"maps"
	"math"
	"slices"

	"workbench/experiments/record"
)

// quantity finds what records say of a quantity; one that no record has is
// known by its name alone.
func (v *view) quantity(name string) record.Quantity {
	if q, ok := v.quantities[name]; ok {
		return q
	}
	return record.Quantity{Name: name, Title: name}
}

// quantity finds what the part's own records say of a quantity, for what is
// measured in one unit here may be in another there.
func (part *partView) quantity(name string) record.Quantity {
	if q, ok := part.quantities[name]; ok {
		return q
	}
	return part.view.quantity(name)
}

// Runes to which the words of records are cut in figures and tables.
const (
	titleRunes = 120
	unitRunes  = 30
)

// quantitiesOf is what records say of each quantity, the first that does, and
// the names in the records' order.
func quantitiesOf(records []*record.Record) (byName map[string]record.Quantity, names []string) {
	byName = map[string]record.Quantity{}
	for _, r := range records {
		for _, x := range r.Values {
			if _, ok := byName[x.Name]; !ok {
				x.Title, x.Unit = shorten(cmp.Or(x.Title, x.Name), titleRunes), shorten(x.Unit, unitRunes)
				byName[x.Name] = x.Quantity
				names = append(names, x.Name)
			}
		}
	}
	return byName, names
}

// nameWorkloads completes what the run says of workloads: those that only
// records name come after those it does, without an axis.
func (v *view) nameWorkloads() {
	for i := range v.all {
		name := v.all[i].Text(record.KeyWorkload)
		if !slices.ContainsFunc(v.run.Workloads, func(w record.Workload) bool { return w.Name == name }) {
			v.run.Workloads = append(v.run.Workloads, record.Workload{Name: name})
		}
	}
	for i := range v.run.Workloads {
		if a := v.run.Workloads[i].Axis; a != nil {
			a.Title, a.Unit = shorten(cmp.Or(a.Title, a.Key, "position"), titleRunes), shorten(cmp.Or(a.Unit, "number"), unitRunes)
		}
	}
}

// axis is what a workload varies, nil where it varies nothing.
func (v *view) axis(workload string) *record.Axis {
	for _, w := range v.run.Workloads {
		if w.Name == workload {
			return w.Axis
		}
	}
	return nil
}

// axisKey is the key of a workload's axis, "" without one.
func (v *view) axisKey(workload string) string {
	if a := v.axis(workload); a != nil {
		return a.Key
	}
	return ""
}

// position is where a record stands on an axis.
func position(r *record.Record, over string) float64 {
	x, _ := r.Key(over)
	return x
}

// A samplesAt holds the samples that one arm has of a quantity at one position.
type samplesAt struct {
	x   float64 // the position
	all []float64
	by  map[uint64]float64 // by pairedBy; several samples of one pair are averaged
	// logs are means of logarithms, by the same, where all samples are above zero.
	logs map[uint64]float64
}

// pairedBy is the number by which samples of a quantity are pairs: the block of
// a timed record, else the seed.
func pairedBy(r *record.Record, q record.Quantity) uint64 {
	if block, ok := r.Key(record.KeyBlock); ok && q.Kind != record.Seeded {
		return uint64(block)
	}
	seed, _ := r.Key(record.KeySeed)
	return uint64(seed)
}

// samplesAlong collects a quantity of one arm along an axis, x rising.
func (part *partView) samplesAlong(arm, workload, over string, q record.Quantity) []samplesAt {
	return along(part.recordsOf(arm, workload), over, q)
}

// along collects a quantity of records along an axis, x rising.
func along(records []*record.Record, over string, q record.Quantity) []samplesAt {
	at := map[float64]map[uint64][]float64{}
	for _, r := range records {
		v, ok := r.Value(q.Name)
		if !ok {
			continue
		}
		x := position(r, over)
		if at[x] == nil {
			at[x] = map[uint64][]float64{}
		}
		key := pairedBy(r, q)
		at[x][key] = append(at[x][key], v)
	}
	out := make([]samplesAt, 0, len(at))
	for x, keys := range at {
		p := samplesAt{x: x, by: map[uint64]float64{}, logs: map[uint64]float64{}}
		for _, k := range slices.Sorted(maps.Keys(keys)) {
			p.all = append(p.all, keys[k]...)
			p.by[k] = average(keys[k])
			if slices.Min(keys[k]) > 0 {
				p.logs[k] = averageLog(keys[k])
			}
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b samplesAt) int { return cmp.Compare(a.x, b.x) })
	return out
}

// largest is the largest position of an arm in a workload, NaN without records.
func (part *partView) largestPosition(arm, workload string) float64 {
	x := math.NaN()
	for _, r := range part.recordsOf(arm, workload) {
		if p := position(r, part.view.axisKey(workload)); math.IsNaN(x) || p > x {
			x = p
		}
	}
	return x
}

// inOrder are the numbers of blocks or seeds, these rising.
func inOrder(by map[uint64]float64) []float64 {
	var out []float64
	for _, k := range slices.Sorted(maps.Keys(by)) {
		out = append(out, by[k])
	}
	return out
}

func averageLog(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += math.Log(x)
	}
	return sum / float64(len(v))
}

func average(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
