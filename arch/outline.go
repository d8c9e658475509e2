package arch

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"runtime/debug"

	"workbench/arch/nn"
	"workbench/kernels"
)

// An Outline knows what a model will take in memory, before the model is built.
type Outline struct {
	Config map[string]any // fully resolved
	// models are shapes of the model with all layers where they are few, else
	// with fewLayers and one less: further layers are alike.
	models []Model
	made   []float64 // elements of all tensors made while building each
	more   float64   // layers that the first of models lacks
	build  func(layers int64) (Model, error)
	layers int64
}

// fewLayers is more than the number of layers that differ in any architecture.
const fewLayers = 8

// NewOutline is New without weights: it takes little memory and time for a
// model of any size. No other goroutine may build models meanwhile.
func NewOutline(name string, config map[string]any) (o *Outline, err error) {
	e, c, err := configure(name, config)
	if err != nil {
		return nil, err
	}
	o = &Outline{}
	if o.Config, err = resolved(c); err != nil {
		return nil, err
	}
	n := int64(o.number("layers"))
	o.layers = n
	o.build = func(layers int64) (Model, error) { return e.make(name, withLayers(c, layers), nn.Blank) }
	counts := []int64{n}
	if n > fewLayers {
		counts, o.more = []int64{fewLayers, fewLayers - 1}, float64(n-fewLayers)
	}
	for _, n := range counts {
		m, made, err := outline(name, e, withLayers(c, n))
		if err != nil {
			return nil, err
		}
		o.models, o.made = append(o.models, m), append(o.made, made)
	}
	return o, nil
}

// outline builds the shapes of a model. A constructor that reads elements of
// large tensors runs again with all elements.
func outline(name string, e entry, c any) (m Model, made float64, err error) {
	func() {
		defer func() { _ = recover() }()
		made = nn.Outline(func() { m, err = e.make(name, c, nn.Blank) })
	}()
	if m == nil && err == nil {
		m, err = e.make(name, c, nn.Blank)
	}
	return m, made, err
}

// OutlineWithin is NewOutline for a configuration from a file of that many
// weights: a model that needs many more weights is an error, before memory is
// taken for it.
func OutlineWithin(name string, config map[string]any, weights int) (*Outline, error) {
	o, err := NewOutline(name, config)
	if err != nil {
		return nil, err
	}
	made := o.made[0]
	if o.more > 0 {
		made += o.more * (o.made[0] - o.made[1])
	}
	// Note: an ablated model is built whole before parts are removed.
	if limit := 1<<20 + 8*float64(weights); made > limit {
		return nil, fmt.Errorf("the configuration asks for more than %.0f weights, and the file does not hold them", limit)
	}
	return o, nil
}

// withLayers returns the configuration c with that many layers, where it has
// the setting.
func withLayers(c any, n int64) any {
	v := reflect.New(reflect.TypeOf(c)).Elem()
	v.Set(reflect.ValueOf(c))
	for i := range v.NumField() {
		if f := v.Field(i); v.Type().Field(i).Tag.Get("json") == "layers" && f.Kind() == reflect.Int {
			f.SetInt(n)
		}
	}
	return v.Interface()
}

// of extrapolates a sum over the layers of a model from models with few layers.
func (o *Outline) of(sum func(m Model) float64) float64 {
	first := sum(o.models[0])
	if o.more == 0 {
		return first
	}
	return first + o.more*(first-sum(o.models[1]))
}

// overhead is the approximate size of a tensor without its elements, in bytes.
const overhead = 256

// Context is the most positions a sequence may have, 0 without a limit.
func (o *Outline) Context() int { return Context(o.models[0]) }

// Params counts the weights as the function Params does.
func (o *Outline) Params() (total, nonEmbedding int) {
	count := func(all bool) int {
		n := o.of(func(m Model) (n float64) {
			nn.Walk(m, func(p nn.Param) {
				if all || !p.Embed {
					n += nn.Elements(p.Tensor.Shape)
				}
			})
			return n
		})
		return int(min(n, math.MaxInt64/2))
	}
	return count(true), count(false)
}

// WeightBytes is the memory of the weights with matrices stored as t.
func (o *Outline) WeightBytes(t kernels.DType) float64 {
	return o.of(func(m Model) (n float64) {
		nn.Walk(m, func(p nn.Param) { n += p.BytesAs(t) + overhead })
		return n
	})
}

// StateBytes is the memory of the state of B sequences after that many
// positions.
func (o *Outline) StateBytes(B, positions int) float64 {
	return o.of(func(m Model) (n float64) {
		nn.Outline(func() {
			s := m.NewState(B)
			Reserve(s, positions)
			nn.WalkState(s, func(_ string, t *nn.Tensor) { n += t.ShapeBytes() + overhead })
		})
		return n
	})
}

// TrainBytes is the least memory of training on that many tokens at a time:
// weights with their gradients and two moments, and the outputs of matrices for
// each token, which recomputing layers saves.
func (o *Outline) TrainBytes(tokens float64, recompute bool) (weights, activations float64) {
	outputs := o.number("vocab")
	if !recompute {
		outputs += o.of(func(m Model) (n float64) {
			nn.Walk(m, func(p nn.Param) {
				if p.Matrix() && !p.Embed {
					n += float64(p.Tensor.Dim(0))
				}
			})
			return n
		})
	}
	return 4 * o.WeightBytes(kernels.F32), 4 * tokens * outputs
}

// StepBytes is the memory of a training step on B rows of T tokens beside the
// weights part of TrainBytes. It is measured on few layers, rows and tokens, in
// each of which it is linear, with a margin for unused parts of the arena. It
// builds and runs such small models.
func (o *Outline) StepBytes(B, T int, recompute bool) (float64, error) {
	const few, unfilled = 3, 1.25
	counts := []int64{o.layers}
	if o.layers >= few {
		counts = []int64{few, few - 1}
	}
	var bytes []float64
	for _, n := range counts {
		m, err := o.build(n)
		if err != nil {
			return 0, err
		}
		nn.ZeroGrad(m)
		bytes = append(bytes, rowsBytes(m, B, T, recompute))
	}
	if len(bytes) > 1 {
		bytes[0] = lineAt(bytes[1], bytes[0], float64(o.layers-few+2))
	}
	debug.FreeOSMemory()
	return unfilled * bytes[0], nil
}

// rowsBytes extrapolates stepBytes of a model to B rows of T tokens.
func rowsBytes(m Model, B, T int, recompute bool) float64 {
	row := func(B int) float64 {
		short := min(T, 8)
		one := stepBytes(m, B, short, recompute)
		if short == T {
			return one
		}
		return lineAt(one, stepBytes(m, B, 2*short, recompute), float64(T)/float64(short))
	}
	if B == 1 {
		return row(1)
	}
	return lineAt(row(1), row(2), float64(B))
}

// lineAt is the value at x of the line through (1, one) and (2, two).
func lineAt(one, two, x float64) float64 { return one + (x-1)*(two-one) }

// stepBytes is the memory of one forward and backward pass.
func stepBytes(m Model, B, T int, recompute bool) float64 {
	g := nn.NewGraph()
	g.Recompute = recompute
	tok := nn.Tokens{IDs: make([]int32, B*T), B: B, T: T}
	g.Backward(nn.CrossEntropy(g, m.Logits(g, m.Forward(g, tok, nil)), tok.IDs))
	return float64(g.HighWater())
}

// ReadBytes is the least memory of reading that many tokens in one call, beside
// the weights and the state: the input, output and widest product of a layer.
func (o *Outline) ReadBytes(tokens float64) float64 {
	width, widest := 0, 0
	nn.Walk(o.models[0], func(p nn.Param) {
		switch {
		case !p.Matrix():
		case p.Embed:
			width = p.Tensor.Dim(1)
		default:
			widest = max(widest, p.Tensor.Dim(0))
		}
	})
	return 4 * tokens * float64(2*width+widest)
}

// LogitBytes is what the scores of that many tokens take.
func (o *Outline) LogitBytes(tokens float64) float64 { return 4 * tokens * o.number("vocab") }

// number is a setting, 0 where the architecture has none of that name.
func (o *Outline) number(key string) float64 {
	x, _ := o.Config[key].(float64) // as resolved gives it
	return x
}

// resolved returns a configuration as a map.
func resolved(c any) (map[string]any, error) {
	out := map[string]any{}
	b, err := json.Marshal(c)
	if err == nil {
		err = json.Unmarshal(b, &out)
	}
	return out, err
}
