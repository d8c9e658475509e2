package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/workload"
	"workbench/kernels"
)

// layer times a training step of a model's layers alone, forward and backward
// without embedding, head and optimiser, and what each kind of operation takes
// of it.
func (b *bench) layer() error {
	m, name, err := b.open(kindLayer)
	if err != nil {
		return err
	}
	stack, ok := m.(arch.Layered)
	if !ok {
		return errors.New("bench layer wants a model of layers, which this is not")
	}
	B, T := b.window(kindLayer)
	if err := workload.Fits(m, T); err != nil {
		return err
	}
	threads := b.threadCounts(false)[0]
	defer kernels.SetThreads(kernels.Threads())
	kernels.SetThreads(threads)

	s := newLayerStep(stack, B, T)
	whole := &row{Bench: kindLayer, Arch: name, Impl: kernels.Impl(), DType: "f32", Threads: threads, Unit: "tokens/s",
		Shape: fmt.Sprintf("B=%d T=%d C=%d", B, T, m.Channels())}
	c := newCeilings([]int{threads})
	spent := map[string][]float64{} // milliseconds
	count, end := b.progress(b.repeat + 1)
	for i := range b.repeat + 1 {
		c.measure(briefly)
		took, by := s.run()
		count()
		if i == 0 {
			continue // warm
		}
		whole.Samples = append(whole.Samples, float64(B*T)/took.Seconds())
		for op, d := range by {
			spent[op] = append(spent[op], 1e3*d.Seconds())
		}
	}
	end()
	c.measure(steadily)
	whole.finish(float64(B*T)*c.FMA[threads]*1e9/float64(s.g.Work.Operations), "fma_peak")
	rows := []*row{whole}
	step := 1e3 * float64(B*T) / whole.Value
	for _, op := range slices.Sorted(maps.Keys(spent)) {
		r := *whole
		r.Kernel, r.Arch, r.Unit, r.Samples = op, "", "ms", spent[op]
		r.finish(step, "layer_step")
		rows = append(rows, &r)
	}
	return b.print(rows)
}

// layerStep is a step of all layers of a model over random vectors [B,T,C].
type layerStep struct {
	m     arch.Layered
	g     *nn.Graph
	x, dy *nn.Tensor
}

func newLayerStep(m arch.Layered, B, T int) *layerStep {
	s := &layerStep{m: m, g: nn.NewGraph()}
	s.x = nn.New(m.Embed(s.g, nn.Tokens{IDs: benchText(B*T, m.Vocab()), B: B, T: T}, nil).Shape...)
	nn.Uniform(s.x, nn.Rand(1, "x"), 1)
	s.x.Grad = make([]float32, s.x.Len())
	s.dy = nn.Uniform(nn.New(B, T, m.Channels()), nn.Rand(1, "dy"), 1)
	s.g.Clock = &nn.Clock{}
	nn.ZeroGrad(m)
	return s
}

// run does a step and says what it took, in all and by kind of operation.
func (s *layerStep) run() (time.Duration, map[string]time.Duration) {
	s.g.Reset()
	s.g.Work = nn.Work{}
	begun := time.Now()
	s.g.Clock.Start()
	x := s.x
	for i := range s.m.Layers() {
		x = s.m.Layer(s.g, i, x, nil)
	}
	s.g.BackwardFrom(x, s.dy.Data)
	return time.Since(begun), s.g.Clock.Spent()
}
