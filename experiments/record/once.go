package record

import (
	"encoding/json"
	"maps"
)

// identity distinguishes samples: by cell, keys, failure and, for cells without
// blocks, the names of exact quantities, since a cell may hold several checks.
// The place in the order of a block is not a part of it.
func (r *Record) identity() string {
	keys := maps.Clone(r.Keys)
	delete(keys, KeySlot)
	var counted []string
	for _, v := range r.Values {
		if v.Kind == Exact && keys[KeyBlock] == nil {
			counted = append(counted, v.Name)
		}
	}
	b, err := json.Marshal([]any{r.Cell, keys, r.Error, counted})
	if err != nil {
		panic("record: " + err.Error()) // keys are texts, numbers and truth values
	}
	return string(b)
}

// once returns the first record of every sample, and the number of repeated
// records.
func once(records []Record) (first []Record, repeats int) {
	seen := map[string]bool{}
	for i := range records {
		if id := records[i].identity(); !seen[id] {
			seen[id] = true
			first = append(first, records[i])
		}
	}
	return first, len(records) - len(first)
}
