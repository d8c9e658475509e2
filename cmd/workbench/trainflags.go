package main

import (
	"errors"
	"fmt"
	"math"
)

var trainRules = []rule{
	{"context-from", true, []string{"context-steps"}, "it says how long windows grow"},
	{"context-steps", true, []string{"context-from"}, "windows have --context tokens all the time"},
	{"mix", true, []string{"corpus"}, "there is one text"},
}

// checkGiven refuses flags that do nothing beside the others, and values that
// would pass for a flag that was left out.
func (j *trainJob) checkGiven(given func(flag string) bool, minLR float64, texts int) error {
	p := &j.Plan
	switch {
	case given("mix") && texts < 2:
		return errors.New("--mix says how often windows are of each text, and there is one --corpus: leave out --mix")
	case given("min-lr") && (!(minLR >= 0) || math.IsInf(minLR, 0)):
		return fmt.Errorf("--min-lr %v: give a rate of at least 0", minLR)
	case given("min-lr") && p.Schedule == "constant":
		return errors.New("--min-lr and --schedule constant contradict each other: leave out one of them")
	case given("warmup") && p.Warmup < 0:
		return fmt.Errorf("--warmup %d: give a number of steps, at least 0", p.Warmup)
	case p.Patience > 0 && p.EvalEvery == 0:
		return errors.New("--patience counts evaluations, and --val-every 0 makes none on the way: leave out one of them")
	}
	for _, f := range []struct {
		name     string
		n, least int
	}{{"steps", p.Steps, 1}, {"batch", p.Batch, 1}, {"context", p.Context, 1}, {"accumulate", p.Accumulate, 1}, {"val-every", p.EvalEvery, 0}, {"val-tokens", p.EvalTokens, 1},
		{"patience", p.Patience, 0}, {"checkpoint-every", j.CheckpointEvery, 0}} {
		if err := inRange(f.name, f.n, f.least, most); err != nil {
			return err
		}
	}
	if given("context-from") {
		return errors.Join(inRange("context-from", p.ContextFrom, 1, most), inRange("context-steps", p.ContextSteps, 1, most))
	}
	return nil
}
