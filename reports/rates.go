package reports

import (
	"fmt"
	"maps"
	"slices"

	"workbench/experiments/record"
)

// keyRate is the key of the learning rate that a model was trained with.
const keyRate = "lr"

// keepBestRates keeps, for every arm whose models were trained at several learning
// rates, those with the best mean of the workload's score, and says so.
func (part *partView) keepBestRates() []string {
	var notes []string
	for _, w := range part.workloads() {
		for _, arm := range part.Arms {
			best, rates := bestOf(part.recordsOf(arm, w.Name))
			if len(rates) < 2 {
				continue
			}
			part.tuned = true
			part.records = slices.DeleteFunc(part.records, func(r *record.Record) bool {
				rate, ok := r.Key(keyRate)
				return r.Text(record.KeyArm) == arm && r.Text(record.KeyWorkload) == w.Name && ok && rate != best
			})
			notes = append(notes, fmt.Sprintf("%s, %s: of the learning rates %s the one with the best mean, %g, is shown.",
				part.Title, arm, list(rates), best))
		}
	}
	return notes
}

// bestOf is the learning rate with the best mean of the records' score, and all
// rates, rising. The fewer trainings end without a number, the better a rate is; the
// mean decides among those with equally few.
func bestOf(records []*record.Record) (best float64, rates []string) {
	score := scoreOf(records)
	tried, failed, numbers := map[float64]bool{}, map[float64]int{}, map[float64][]float64{} // by rate
	for _, r := range records {
		rate, ok := r.Key(keyRate)
		if !ok || r.Find(score.Name) == nil {
			continue
		}
		tried[rate] = true
		if x, ok := r.Value(score.Name); ok {
			numbers[rate] = append(numbers[rate], x)
		} else {
			failed[rate]++
		}
	}
	better := func(a, b float64) bool {
		x, y := average(numbers[a]), average(numbers[b])
		switch {
		case failed[a] != failed[b]:
			return failed[a] < failed[b]
		case score.Better == record.Higher:
			return x > y
		}
		return x < y
	}
	for i, rate := range slices.Sorted(maps.Keys(tried)) {
		if rates = append(rates, fmt.Sprint(rate)); i == 0 || better(rate, best) {
			best = rate
		}
	}
	return best, rates
}

// scoreOf is the first quantity of the records that varies with the seed, a main
// one where there is one.
func scoreOf(records []*record.Record) (score record.Quantity) {
	for _, r := range records {
		for _, x := range r.Values {
			if x.Kind == record.Seeded && (score.Name == "" || x.Main && !score.Main) {
				score = x.Quantity
			}
		}
	}
	return score
}
