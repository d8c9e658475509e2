package record_test

import (
	"fmt"
	"os"
	"path/filepath"

	"workbench/experiments/record"
)

// A folder holds one run: run.json, and a line for each record.
func Example() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	speed := record.Quantity{Name: "tokens_per_second", Title: "speed", Unit: "token/s", Kind: record.Timed, Better: record.Higher}
	energy := record.Quantity{Name: "joules_per_token", Title: "energy", Unit: "J/token", Kind: record.Timed, Better: record.Lower}
	sample := &record.Record{Cell: "a1", Keys: map[string]any{record.KeyArm: "rwkv4", "depth": 256}}
	sample.Add(speed.Of(1200))
	sample.Add(energy.Missing("no energy counters"))

	if err := record.SaveRun(dir, &record.Run{Study: "example"}); err != nil {
		fmt.Println(err)
	}
	if err := record.Append(filepath.Join(dir, record.RecordsFile), sample); err != nil {
		fmt.Println(err)
	}

	run, records, err := record.Load(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, r := range records {
		depth, _ := r.Key("depth")
		fmt.Printf("%s: %s at depth %.0f\n", run.Study, r.Text(record.KeyArm), depth)
		for _, v := range r.Values {
			if v.Value == nil {
				fmt.Printf("%s: n/a, %s\n", v.Title, v.Reason)
			} else {
				fmt.Printf("%s: %.0f %s\n", v.Title, *v.Value, v.Unit)
			}
		}
	}
	// Output:
	// example: rwkv4 at depth 256
	// speed: 1200 token/s
	// energy: n/a, no energy counters
}
