package archtest

import (
	"fmt"
	"maps"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/nn"
)

// initTolerance is the tolerance for initial values that the README of the
// golden cases states.
const initTolerance = 2e-6

type initCase struct {
	Arch, Version string
	Dims          struct {
		Layers int `json:"n_layer"`
		Dim    int `json:"n_embd"`
		Vocab  int `json:"vocab"`
		Head   int `json:"head_size"`
	}
	Shapes map[string][]int `json:"all_shapes"`
	Zeros  []string         `json:"zero_matrices"`
	Random map[string]struct {
		Std          float64
		Min, Max     float64
		Distribution string
		Gain         float64 `json:"measured_gain"`
	}
}

// goldenInit compares our initial values with the official ones: exactly
// where they do not depend on the seed, by distribution where they do.
func goldenInit(r *Result, dir string, _ Options) error {
	var c initCase
	if err := readJSON(filepath.Join(dir, "init.json"), &c); err != nil {
		return err
	}
	major, _, _ := strings.Cut(c.Version, ".")
	config := map[string]any{"dim": c.Dims.Dim, "layers": c.Dims.Layers, "vocab": c.Dims.Vocab}
	if c.Dims.Head > 0 {
		config["head_size"] = c.Dims.Head
	}
	m, _, err := arch.New(c.Arch+major, config, 1)
	if err != nil {
		return err
	}
	file, err := checkpoint.OpenTensors(filepath.Join(dir, "init.safetensors"))
	if err != nil {
		return err
	}
	defer file.Close()
	weights := map[string]*nn.Tensor{}
	nn.Walk(m, func(p nn.Param) { weights[p.Name] = official(p) })
	dummies := 0
	for _, name := range slices.Sorted(maps.Keys(c.Shapes)) {
		shape := c.Shapes[name]
		t := weights[name]
		if t == nil && isDummy(name) {
			dummies++
		} else if t == nil || !slices.Equal(t.Shape, squeezed(shape)) {
			return fmt.Errorf("%s: shape %v is missing or different", name, shape)
		}
	}
	if len(weights) != len(c.Shapes)-dummies {
		return fmt.Errorf("%d weights, the official model has %d", len(weights), len(c.Shapes)-dummies)
	}
	for _, name := range file.Names() {
		if isDummy(name) {
			continue
		}
		want, err := file.Float64(name)
		if err != nil {
			return err
		}
		r.within("init", maxAbs(weights[name].Data, want), initTolerance, name)
	}
	for _, name := range c.Zeros {
		if isDummy(name) {
			continue
		}
		r.within("zeros", maxAbs(weights[name].Data, make([]float64, weights[name].Len())), 0, name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Random)) {
		d := c.Random[name]
		if isDummy(name) {
			continue
		}
		t := weights[name]
		switch d.Distribution {
		case "uniform":
			// the measured extremes of one draw are within 1 % of the range
			lo, hi := slices.Min(t.Data), slices.Max(t.Data)
			r.within("uniform_range", max(math.Abs(float64(lo)/d.Min-1), math.Abs(float64(hi)/d.Max-1)), 0.01, name)
			r.within("uniform_std", math.Abs(std(t.Data)/d.Std-1), 0.02, name)
		case "orthogonal":
			gain, dev := orthogonality(t)
			r.within("orthogonal_gain", math.Abs(gain-d.Gain), 1e-5, name)
			r.within("orthogonal_gram", dev, 1e-5, name)
		default:
			return fmt.Errorf("%s: unknown distribution %q", name, d.Distribution)
		}
	}
	return nil
}

// official returns the weight in the shape of the official files.
func official(p nn.Param) *nn.Tensor {
	if !p.InOut {
		return p.Tensor
	}
	R, C := p.Tensor.Dim(-2), p.Tensor.Dim(-1)
	shape := slices.Clone(p.Tensor.Shape)
	shape[len(shape)-2], shape[len(shape)-1] = C, R
	return &nn.Tensor{Shape: shape, Data: transposed(p.Tensor.Data, R, C)}
}

// isDummy reports weights that the official RWKV-7 has but does not use: the
// first layer has no earlier values to mix with.
func isDummy(name string) bool {
	return name == "blocks.0.att.v0" || name == "blocks.0.att.v1" || name == "blocks.0.att.v2"
}

// squeezed removes the leading ones of an official shape [1,1,C].
func squeezed(shape []int) []int {
	for len(shape) > 1 && shape[0] == 1 {
		shape = shape[1:]
	}
	return shape
}

func std(x []float32) float64 {
	var sum, sq float64
	for _, v := range x {
		sum += float64(v)
		sq += float64(v) * float64(v)
	}
	n := float64(len(x))
	return math.Sqrt(sq/n - sum/n*sum/n)
}

// orthogonality returns the mean length of the vectors of t and the largest
// deviation of their Gram matrix from that length squared times the identity.
func orthogonality(t *nn.Tensor) (gain, deviation float64) {
	R, C := t.Dim(0), t.Dim(1)
	n, m := min(R, C), max(R, C)
	at := func(i, j int) float64 {
		if R > C {
			i, j = j, i
		}
		return float64(t.Data[i*C+j])
	}
	gram := make([]float64, n*n)
	for i := range n {
		for k := range n {
			for j := range m {
				gram[i*n+k] += at(i, j) * at(k, j)
			}
		}
		gain += math.Sqrt(gram[i*n+i]) / float64(n)
	}
	for i := range n {
		for k := range n {
			want := 0.0
			if i == k {
				want = gain * gain
			}
			deviation = max(deviation, math.Abs(gram[i*n+k]-want))
		}
	}
	return gain, deviation
}
