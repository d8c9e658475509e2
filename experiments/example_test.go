//go:build unix

package experiments_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	_ "workbench/arch/rnn"
	_ "workbench/arch/rwkv"
	"workbench/experiments"
	"workbench/experiments/record"
)

// A study is a text; running it leaves a folder of records.
func ExampleRun() {
	study, err := experiments.Parse("size.yaml", `
name: size
question: How much does a recurrent state weigh?
corpus: grammar
arch: [{use: rwkv4, dim: 16, layers: 2}, {use: rnn, dim: 16, layers: 2}]
measure:
  decode: {depth: [8, 64], tokens: 2, rounds: 2, sample_ms: 1}
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	tmp, err := os.MkdirTemp("", "example")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(tmp)
	dir, err := experiments.Run(context.Background(), study, experiments.Options{Profile: "smoke", Out: filepath.Join(tmp, "run")})
	if err != nil {
		fmt.Println(err)
		return
	}
	run, records, err := record.Load(dir)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(run.Question)
	state := map[string]float64{}
	for _, r := range records {
		depth, _ := r.Key("depth")
		bytes, _ := r.Value("state_bytes")
		state[fmt.Sprintf("%s at depth %g", r.Text(record.KeyArm), depth)] = bytes
	}
	for _, arm := range []string{"rwkv4", "rnn"} {
		fmt.Println(arm, state[arm+" at depth 8"], "bytes, then", state[arm+" at depth 64"])
	}
	// Output:
	// How much does a recurrent state weigh?
	// rwkv4 640 bytes, then 640
	// rnn 128 bytes, then 128
}
