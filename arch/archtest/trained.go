package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/nn"
	"workbench/kernels"
)

// fit trains m on one batch, and returns the losses of the first and the last
// step.
func fit(m arch.Model, tok nn.Tokens, steps int) (first, last float64) {
	g := nn.NewGraph()
	moments := map[string][2][]float32{}
	for step := range steps {
		nn.ZeroGrad(m)
		g.Reset()
		last = meanLoss(g, m, tok, nil)
		if step == 0 {
			first = last
		}
		nn.Walk(m, func(p nn.Param) {
			if p.Tensor.Const {
				return
			}
			mv, ok := moments[p.Name]
			if !ok {
				mv = [2][]float32{make([]float32, p.Tensor.Len()), make([]float32, p.Tensor.Len())}
				moments[p.Name] = mv
			}
			kernels.AdamW(p.Tensor.Data, p.Tensor.Grad, mv[0], mv[1], kernels.AdamWStep{Step: step + 1, LR: 1e-2, Beta1: 0.9, Beta2: 0.99, Eps: 1e-8, Scale: 1})
		})
	}
	return first, last
}

// overfit: the loss falls on one batch.
func overfit(s Spec) error {
	m, _, err := arch.New(s.Arch, s.Config, 7)
	if err != nil {
		return err
	}
	const steps = 60
	if first, last := fit(m, text(m, batch, length, 7), steps); !(last < first/2) {
		return fmt.Errorf("loss went from %.3f to %.3f in %d steps on one batch", first, last, steps)
	}
	return nil
}

// saved: a model trained for a few steps, saved and opened as commands do, has
// the same configuration and gives the same logits to the bit.
func saved(s Spec) (err error) {
	m, config, err := arch.New(s.Arch, s.Config, 7)
	if err != nil {
		return err
	}
	tok := text(m, batch, length, 11)
	fit(m, tok, 3)
	dir, err := os.MkdirTemp("", "saved")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	b, err := json.Marshal(config)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "model.safetensors")
	if err := checkpoint.Save(path, m, map[string]string{"arch": s.Arch, "config": string(b)}); err != nil {
		return err
	}
	w, err := checkpoint.Open(path)
	if err != nil {
		return err
	}
	defer w.Close()
	opened, again, err := arch.EmptyWithin(w.Arch, w.Config, w.Len())
	if err == nil {
		err = checkpoint.Assign(opened, w)
	}
	if err != nil {
		return err
	}
	if !reflect.DeepEqual(config, again) {
		return fmt.Errorf("the configuration %v comes back as %v", config, again)
	}
	if !slices.Equal(Logits(m, tok, nil), Logits(opened, tok, nil)) {
		return errors.New("the model that is opened gives other logits than the one that was saved")
	}
	return nil
}
