package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"workbench/arch"
	"workbench/arch/archtest"
	"workbench/arch/nn"
	"workbench/experiments/train"
	"workbench/kernels"
)

var verifyCommand = command{
	name:    "verify",
	args:    "DIR...",
	short:   "Hold the implementation against golden cases: one JSON line a case and kernel implementation, exit 1 if any fails. DIR is a case or a folder of cases.",
	example: "workbench verify ../shared/data/golden/rwkv4 --impl avx2",
	setup: func(fs *flag.FlagSet) body {
		impl := fs.String("impl", "", "kernel implementation `NAME` (default: every one, in turn)")
		data := fs.String("data", filepath.Join("..", "shared", "data"), "folder `DIR` of the vocabularies that cases name by hash")
		return func(dirs []string, out output) error {
			if len(dirs) == 0 {
				return usageError{errors.New("name a golden case or a folder of them")}
			}
			if *impl != "" && !slices.Contains(kernels.Impls(), *impl) {
				return usageError{fmt.Errorf("no kernel implementation %q here (known: %s)", *impl, strings.Join(kernels.Impls(), ", "))}
			}
			cases, err := goldenCases(dirs)
			if err != nil {
				return err
			}
			return verify(cases, archtest.Options{Impl: *impl, Data: *data, Trainer: trainer}, out)
		}
	},
}

// goldenCases lists the cases among dirs and one level below.
func goldenCases(dirs []string) ([]string, error) {
	var cases []string
	for _, dir := range dirs {
		if archtest.Kind(dir) != "" {
			cases = append(cases, dir)
			continue
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		before := len(cases)
		for _, e := range entries {
			if path := filepath.Join(dir, e.Name()); archtest.Kind(path) != "" {
				cases = append(cases, path)
			}
		}
		if len(cases) == before {
			return nil, fmt.Errorf("%s holds no golden case: neither it nor a folder in it has a case.json, cases.json or init.json", dir)
		}
	}
	return cases, nil
}

func verify(cases []string, opt archtest.Options, out output) error {
	lines := json.NewEncoder(out.stdout)
	failed, total := 0, 0
	for _, path := range cases {
		results, err := archtest.Golden(path, opt)
		if err != nil {
			return err
		}
		for _, r := range results {
			total++
			if !r.Pass {
				failed++
			}
			if err := lines.Encode(r); err != nil {
				return err
			}
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d comparisons failed", failed, total)
	}
	return nil
}

// trainer makes the optimiser steps of a golden trajectory.
func trainer(m arch.Model, r archtest.TrainRule) func(nn.Tokens, []int32) (loss, norm float64, err error) {
	t := train.NewTrainer(m, train.AdamWConfig{Beta1: r.Beta1, Beta2: r.Beta2, Eps: r.Eps, WeightDecay: r.Decay, Clip: r.Clip})
	return func(tok nn.Tokens, targets []int32) (float64, float64, error) { return t.Step(tok, targets, r.LR) }
}
