package archtest

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/nn"
	"workbench/arch/settings"
)

type goldenCase struct {
	Dims struct {
		Heads   int `json:"n_head"`
		KVHeads int `json:"n_kv_head"` // 0: Heads
	} `json:"dims"`
	Tolerance struct {
		Float32 struct {
			Logits float64 `json:"logits_abs"`
			Loss   float64 `json:"loss_abs"`
			Grad   float64 `json:"grad_relative_to_largest_entry_of_tensor"`
		} `json:"float32_implementation"`
	} `json:"tolerance_advice"`
}

// stateTolerance is the tolerance that golden cases advise for states, relative
// to the largest entry, unless their advice for gradients is wider.
//
// Note: it is wider for rwkv4_stress alone, whose keys exceed 100: there the
// running maximum pp is rounded by up to 4e-6 in every step, in the official
// recurrence as in ours, and the states are off by 3.0e-4 at the end (advice:
// 3.1e-4). Exact dot products do not change that.
const stateTolerance = 1e-4

// golden is an open model case.
type golden struct {
	*Result
	goldenCase
	file    *checkpoint.File // golden.safetensors
	weights *checkpoint.Weights
	model   arch.Model
}

func goldenModel(r *Result, dir string, opt Options) error {
	c, err := openGolden(r, dir)
	if err != nil {
		return err
	}
	defer c.file.Close()
	defer c.weights.Close()
	if err := c.logits(); err != nil {
		return err
	}
	if !c.holds("batch.tokens") {
		c.Skipped = append(c.Skipped, "loss", "grad", "train")
		return nil
	}
	for _, check := range []func() error{c.gradients, c.l2wrap} {
		if err := check(); err != nil {
			return err
		}
	}
	return c.trajectory(filepath.Join(dir, "train.json"), opt)
}

// holds reports whether golden.safetensors has a tensor of that name or, where
// the name ends in a dot, with that prefix.
func (c *golden) holds(name string) bool {
	return slices.ContainsFunc(c.file.Names(), func(n string) bool {
		return n == name || strings.HasSuffix(name, ".") && strings.HasPrefix(n, name)
	})
}

func openGolden(r *Result, dir string) (*golden, error) {
	c := &golden{Result: r}
	if err := readJSON(filepath.Join(dir, "case.json"), &c.goldenCase); err != nil {
		return nil, err
	}
	for _, name := range []string{"model.pth", "model.safetensors", "model.gguf"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err != nil {
			continue
		}
		w, err := checkpoint.Open(path)
		if err != nil {
			return nil, err
		}
		if c.weights != nil {
			n, err := different(c.weights, w)
			if err != nil {
				return nil, err
			}
			r.within("files", n, 0, name+" and another")
			w.Close()
			continue
		}
		c.weights = w
	}
	if c.weights == nil {
		return nil, fmt.Errorf("%s holds no model.pth, model.safetensors or model.gguf", dir)
	}
	hasHeads := slices.ContainsFunc(arch.Options(c.weights.Arch), func(o settings.Option) bool { return o.Key == "heads" })
	if _, ok := c.weights.Config["heads"]; !ok && hasHeads && c.Dims.Heads > 0 {
		c.weights.Config["heads"] = c.Dims.Heads
	}
	var err error
	if c.model, _, err = arch.EmptyWithin(c.weights.Arch, c.weights.Config, c.weights.Len()); err != nil {
		return nil, err
	}
	if err := checkpoint.Assign(c.model, c.weights); err != nil {
		return nil, err
	}
	c.file, err = checkpoint.OpenTensors(filepath.Join(dir, "golden.safetensors"))
	return c, err
}

// different counts the tensors that are not equal to the bit.
func different(a, b *checkpoint.Weights) (float64, error) {
	n := max(0, len(b.Names())-len(a.Names()))
	for _, name := range a.Names() {
		x, err := a.Float32(name)
		if err != nil {
			return 0, err
		}
		y, err := b.Float32(name)
		if err != nil && b.Shape(name) != nil {
			return 0, err
		}
		if !slices.Equal(x, y) {
			n++
		}
	}
	return float64(n), nil
}

// tokens reads an integer tensor as token ids [B,T].
func (c *golden) tokens(name string) (nn.Tokens, error) {
	ids, err := c.file.Int64(name)
	if err != nil {
		return nn.Tokens{}, err
	}
	shape := c.file.Shape(name)
	tok := nn.Tokens{B: 1, T: len(ids)}
	if len(shape) == 2 {
		tok.B, tok.T = shape[0], shape[1]
	}
	for _, id := range ids {
		tok.IDs = append(tok.IDs, int32(id))
	}
	return tok, nil
}

// logits compares logits and state, reading the prompt in one call, token by
// token and in uneven pieces.
func (c *golden) logits() error {
	tok, err := c.tokens("tokens")
	if err != nil {
		return err
	}
	want, err := c.file.Float64("logits")
	if err != nil {
		return err
	}
	for _, run := range []struct {
		name   string
		pieces []int
	}{{"logits", nil}, {"logits_stepwise", []int{1}}, {"logits_pieces", []int{7, 1, 13, 2}}} {
		s := c.model.NewState(1)
		c.within(run.name, maxAbs(Logits(c.model, tok, s, run.pieces...), want), c.Tolerance.Float32.Logits, "")
		if !c.holds("state.") {
			continue
		}
		if err := c.state(s, tok.T); err != nil {
			return err
		}
	}
	if !c.holds("state.") {
		c.Skipped = append(c.Skipped, "state")
	}
	return c.notRescaled(tok)
}

// notRescaled compares the logits of a file whose residual stream is halved
// every few layers with those of the same weights without halving.
func (c *golden) notRescaled(tok nn.Tokens) error {
	const name = "logits_no_rescale"
	if !c.holds(name) {
		return nil
	}
	want, err := c.file.Float64(name)
	if err != nil {
		return err
	}
	config := maps.Clone(c.weights.Config)
	delete(config, "rescale")
	m, _, err := arch.Empty(c.weights.Arch, config)
	if err == nil {
		err = checkpoint.Assign(m, c.weights)
	}
	if err != nil {
		return err
	}
	c.within(name, maxAbs(Logits(m, tok, m.NewState(1)), want), c.Tolerance.Float32.Logits, "")
	return nil
}

// state compares every slot of s, which has read T positions.
func (c *golden) state(s arch.State, T int) error {
	var err error
	nn.WalkState(s, func(name string, t *nn.Tensor) {
		if err != nil {
			return
		}
		var want []float64
		got := t.Data
		switch layer, slot, _ := strings.Cut(name, "."); {
		case slot == "h" || slot == "c": // all layers in one tensor [L,H]
			var all []float64
			if all, err = c.file.Float64("state." + slot); err == nil {
				l := 0
				_, err = fmt.Sscan(layer, &l)
				want = all[l*t.Len() : (l+1)*t.Len()]
			}
		case slot == "k" || slot == "v":
			if want, err = c.file.Float64("state." + name); err == nil {
				got = byHead(t, cmp.Or(c.Dims.KVHeads, c.Dims.Heads))
			}
		default:
			if want, err = c.file.Float64("state." + name); slot == "wkv" && c.weights.Arch == "rwkv7" {
				got = transposed(got, t.Dim(-2), t.Dim(-1)) // the file has [H,N value,N key]
			}
		}
		if err == nil {
			c.within("state", relative(got, want), max(stateTolerance, c.Tolerance.Float32.Grad), name)
		}
	})
	return err
}

// byHead transposes a cache [T,1,H·D] to [H,T,D].
func byHead(t *nn.Tensor, H int) []float32 {
	T, C := t.Dim(0), t.Dim(2)
	D := C / H
	var out []float32
	for h := range H {
		for i := range T {
			out = append(out, t.Data[i*C+h*D:i*C+(h+1)*D]...)
		}
	}
	return out
}

// gradients compares the loss of every position and every weight's gradient.
func (c *golden) gradients() error {
	tok, targets, err := c.batch()
	if err != nil {
		return err
	}
	nll, err := c.file.Float64("batch.nll")
	if err != nil {
		return err
	}
	loss, err := c.file.Float64("loss")
	if err != nil {
		return err
	}
	g := nn.Inference()
	c.within("nll", maxAbs(nn.NLL(g, c.model.Logits(g, c.model.Forward(g, tok, nil)), targets), nll),
		c.Tolerance.Float32.Logits+c.Tolerance.Float32.Loss, "")

	nn.ZeroGrad(c.model)
	got := c.backward(tok, targets, false)
	c.within("loss", math.Abs(got-loss[0]), c.Tolerance.Float32.Loss, "")
	nn.Walk(c.model, func(p nn.Param) {
		if e := c.gradient("grad", p); e != nil && err == nil {
			err = e
		}
	})
	return err
}

// gradient compares the gradient of p with the tensor kind.NAME.
func (c *golden) gradient(kind string, p nn.Param) error {
	source := c.weights.Source[p.Name]
	want, err := c.file.Float64(kind + "." + source)
	if err != nil {
		return err
	}
	got := p.Tensor.Grad
	if c.weights.Transposed[p.Name] {
		got = transposed(got, p.Tensor.Dim(-2), p.Tensor.Dim(-1))
	}
	c.within(kind, relative(got, want), c.Tolerance.Float32.Grad, p.Name)
	return nil
}

// transposed swaps the last two axes, of lengths R and C.
func transposed(x []float32, R, C int) []float32 {
	y := make([]float32, len(x))
	for at := 0; at < len(x); at += R * C {
		for r := range R {
			for c := range C {
				y[at+c*R+r] = x[at+r*C+c]
			}
		}
	}
	return y
}

func (c *golden) batch() (tok nn.Tokens, targets []int32, err error) {
	if tok, err = c.tokens("batch.tokens"); err != nil {
		return tok, nil, err
	}
	t, err := c.tokens("batch.targets")
	return tok, t.IDs, err
}

func (c *golden) backward(tok nn.Tokens, targets []int32, l2wrap bool) float64 {
	g := nn.NewGraph()
	logits := c.model.Logits(g, c.model.Forward(g, tok, nil))
	loss := nn.CrossEntropy(g, logits, targets)
	if l2wrap {
		nn.L2Wrap(g, logits, targets, 1)
	}
	g.Backward(loss)
	return float64(loss.Data[0])
}

// l2wrap compares the gradients with the official trainer's extra term.
func (c *golden) l2wrap() error {
	const kind = "grad_l2wrap"
	if !slices.ContainsFunc(c.file.Names(), func(n string) bool { return strings.HasPrefix(n, kind) }) {
		c.Skipped = append(c.Skipped, kind)
		return nil
	}
	tok, targets, err := c.batch()
	if err != nil {
		return err
	}
	nn.ZeroGrad(c.model)
	c.backward(tok, targets, true)
	nn.Walk(c.model, func(p nn.Param) {
		if !slices.Contains(c.file.Names(), kind+"."+c.weights.Source[p.Name]) {
			return
		}
		if e := c.gradient(kind, p); e != nil && err == nil {
			err = e
		}
	})
	return err
}

// trainTolerance is the tolerance for the losses of a trajectory: float32 runs
// of the reference stay within 3.4e-5, the cases advise 1e-3.
const trainTolerance = 2e-4

// trajectory compares the 20 optimiser steps of train.json.
func (c *golden) trajectory(path string, opt Options) error {
	var t struct {
		Batches []struct{ Tokens, Targets [][]int32 }
		Losses  []float64
		Norms   []float64 `json:"grad_norms"`
		Final   []float64 `json:"final_loss_per_batch"`
	}
	if _, err := os.Stat(path); err != nil || opt.Trainer == nil {
		c.Skipped = append(c.Skipped, "train")
		return nil
	}
	if err := readJSON(path, &t); err != nil {
		return err
	}
	if len(t.Batches) == 0 || len(t.Norms) != len(t.Losses) || len(t.Final) != len(t.Batches) {
		return fmt.Errorf("%s: lists of different lengths", path)
	}
	step := opt.Trainer(c.model, goldenRule)
	batch := func(i int) (nn.Tokens, []int32) {
		b := t.Batches[i%len(t.Batches)]
		return nn.Tokens{IDs: slices.Concat(b.Tokens...), B: len(b.Tokens), T: len(b.Tokens[0])}, slices.Concat(b.Targets...)
	}
	for i, want := range t.Losses {
		loss, norm, err := step(batch(i))
		if err != nil {
			return err
		}
		c.within("train_loss", math.Abs(loss-want), trainTolerance, fmt.Sprintf("step %d", i))
		c.within("train_grad_norm", math.Abs(norm/t.Norms[i]-1), 1e-3, fmt.Sprintf("step %d", i))
	}
	for i, want := range t.Final {
		tok, targets := batch(i)
		g := nn.Inference()
		loss := nn.CrossEntropy(g, c.model.Logits(g, c.model.Forward(g, tok, nil)), targets)
		c.within("train_loss", math.Abs(float64(loss.Data[0])-want), trainTolerance, fmt.Sprintf("final batch %d", i))
	}
	return nil
}
