package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"

	"workbench/arch"
	"workbench/arch/files"
	"workbench/arch/nn"
	"workbench/kernels"
)

// Result is the outcome of one golden case under one kernel implementation.
type Result struct {
	Case string `json:"case"`
	Impl string `json:"impl"`
	Pass bool   `json:"pass"`
	// MaxAbs holds the largest deviation per quantity: absolute for logits and
	// losses, relative to the largest entry of the tensor for states and
	// gradients.
	MaxAbs map[string]float64 `json:"max_abs"`
	// Skipped lists the quantities that the case lacks.
	Skipped []string `json:"skipped"`
	Error   string   `json:"error,omitempty"`
}

// Options are the settings of Golden.
type Options struct {
	Impl string // kernel implementation, "" for all
	Data string // folder of vocabularies, which cases name by hash
	// Trainer starts the AdamW run of train.json on m and returns its step:
	// the loss before the update and the gradient's norm before clipping.
	Trainer func(m arch.Model, r TrainRule) (step func(tok nn.Tokens, targets []int32) (loss, norm float64, err error))
}

// TrainRule holds the optimiser settings of a train.json; weight decay applies
// to matrices whose name ends in ".weight".
type TrainRule struct{ LR, Beta1, Beta2, Eps, Decay, Clip float64 }

// goldenRule is the rule that every train.json states in words.
var goldenRule = TrainRule{LR: 1e-3, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Decay: 0.1, Clip: 1}

// Kind returns the kind of the golden case at path, "" where there is none.
func Kind(path string) string {
	has := func(name string) bool {
		_, err := os.Stat(filepath.Join(path, name))
		return err == nil
	}
	base := filepath.Base(path)
	switch {
	case strings.HasSuffix(base, ".bin") && !strings.HasPrefix(base, "expected-"):
		return "rwkv.cpp"
	case has("golden.safetensors"):
		return "model"
	case has("init.json"):
		return "init"
	case has("case.json") && matches(path, "inputs_*.npy"):
		return "mqar"
	case has("cases.json") && isTokenizerCase(path):
		return "tokenizer"
	case has("case.json") && matches(path, "*"+expectedSuffix) && matches(path, "*.gguf"):
		return "blocks"
	case has("case.json") && matches(path, "*"+expectedSuffix) && matches(path, "*.pth"):
		return "torch"
	case has("cases.json") && isContainerCase(path):
		return "container"
	case has("case.json"), has("cases.json"):
		return "other"
	}
	return ""
}

// Golden compares the implementation with the case at path, once for each
// kernel implementation. The error reports a failed call, such as a missing
// case; what is wrong in a case is in its results.
func Golden(path string, opt Options) ([]Result, error) {
	check, ok := map[string]func(*Result, string, Options) error{
		"model": goldenModel, "init": goldenInit, "rwkv.cpp": goldenRWKVCpp, "tokenizer": goldenTokenizer, "mqar": goldenMQAR,
		"blocks": goldenBlocks, "torch": goldenTorch, "container": goldenContainer,
		"other": func(*Result, string, Options) error {
			return errors.New("this program does not have what the case tests")
		},
	}[Kind(path)]
	if !ok {
		return nil, fmt.Errorf("%s is not a golden case: it holds no case.json, init.json or rwkv.cpp model", path)
	}
	impls := kernels.Impls()
	if opt.Impl != "" {
		impls = []string{opt.Impl}
	}
	before := kernels.Impl()
	var results []Result
	for _, impl := range impls {
		if err := kernels.Use(impl); err != nil {
			return nil, err
		}
		r := Result{Case: strings.TrimSuffix(filepath.Base(path), ".bin"), Impl: impl, Pass: true,
			MaxAbs: map[string]float64{}, Skipped: []string{}}
		err := guarded(func(Spec) error { return check(&r, path, opt) }, Spec{})
		if err != nil {
			r.Pass, r.Error = false, err.Error()
		}
		results = append(results, r)
	}
	return results, kernels.Use(before)
}

// within records a deviation, and fails the case where it exceeds tol.
func (r *Result) within(quantity string, got, tol float64, where string) {
	if old, ok := r.MaxAbs[quantity]; !ok || got > old {
		if math.IsNaN(got) || math.IsInf(got, 0) {
			got = math.MaxFloat64
		}
		r.MaxAbs[quantity] = got
	}
	if !(got <= tol) {
		r.Pass = false
		if r.Error == "" {
			r.Error = fmt.Sprintf("%s %s: deviation %.3g exceeds %.3g", quantity, where, got, tol)
		}
	}
}

// maxAbs is the largest |a-b|.
func maxAbs(a []float32, b []float64) float64 {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	worst := 0.0
	for i := range a {
		d := math.Abs(float64(a[i]) - b[i])
		if math.IsNaN(d) {
			return d
		}
		worst = max(worst, d)
	}
	return worst
}

// relative is max|a-b| / max|b|.
func relative(a []float32, b []float64) float64 {
	size := 0.0
	for _, x := range b {
		size = max(size, math.Abs(x))
	}
	if size == 0 {
		size = 1
	}
	return maxAbs(a, b) / size
}

func readJSON(path string, v any) error {
	b, err := files.Read(path, maxCase)
	if err == nil {
		err = json.Unmarshal(b, v)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
