package reports

import (
	"cmp"
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

// Runes to which the words of records are cut in figures and tables.
const (
	titleRunes = 120
	unitRunes  = 30
)

// collectQuantities keeps what the records say of each quantity, the first
// that does.
func (v *view) collectQuantities() {
	v.quantities = map[string]record.Quantity{}
	for i := range v.all {
		for _, x := range v.all[i].Values {
			if _, ok := v.quantities[x.Name]; !ok {
				x.Title, x.Unit = shorten(cmp.Or(x.Title, x.Name), titleRunes), shorten(x.Unit, unitRunes)
				v.quantities[x.Name] = x.Quantity
				v.names = append(v.names, x.Name)
			}
		}
	}
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
			a.Title, a.Unit = shorten(cmp.Or(a.Title, a.Key, "place"), titleRunes), shorten(cmp.Or(a.Unit, "number"), unitRunes)
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

// A place is the samples of one series at one position, keyed by what they are
// paired by. Several samples of one key are averaged.
type place struct {
	x   float64
	all []float64
	by  map[uint64]float64
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

// places collects a quantity of one arm along an axis, x rising.
func (g *group) places(arm, workload, over string, q record.Quantity) []place {
	at := map[float64]map[uint64][]float64{}
	for _, r := range g.where(arm, workload) {
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
	out := make([]place, 0, len(at))
	for x, keys := range at {
		p := place{x: x, by: map[uint64]float64{}}
		for _, k := range rising(keys) {
			p.all = append(p.all, keys[k]...)
			p.by[k] = average(keys[k])
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b place) int { return cmp.Compare(a.x, b.x) })
	return out
}

// largest is the largest position of an arm in a workload, NaN without records.
func (g *group) largest(arm, workload string) float64 {
	x := math.NaN()
	for _, r := range g.where(arm, workload) {
		if p := position(r, g.view.axisKey(workload)); math.IsNaN(x) || p > x {
			x = p
		}
	}
	return x
}

func rising[V any](m map[uint64]V) []uint64 {
	keys := make([]uint64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func average(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
