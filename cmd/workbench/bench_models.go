package main

import (
	"errors"
	"fmt"
	"time"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/arch/settings"
	"workbench/experiments/meter"
	"workbench/experiments/record"
	"workbench/experiments/workload"
	"workbench/kernels"
)

// settings are what the flags say of a workload: one point, and its work once a
// sample.
func (b *bench) settings(kind string) workload.Timed {
	B, T := b.window(kind)
	switch kind {
	case kindPrefill:
		return &workload.Prefill{Tokens: T, Chunk: []int{b.chunk}, Context: &b.context, Cascade: &b.cascade, Batch: B}
	case kindDecode:
		return &workload.Decode{Depth: []int{b.context}, Tokens: T, Batch: B}
	}
	return &workload.Train{Context: []int{T}, BatchTokens: B * T}
}

// models times a workload of a whole model.
func (b *bench) models(kind string) error {
	if b.chunk > 0 && b.batch > 1 {
		return errors.New("--chunk reads one sequence: leave out --batch")
	}
	m, name, err := b.open(kind)
	if err != nil {
		return err
	}
	threads := b.threadCounts(false)[0]
	defer kernels.SetThreads(kernels.Threads())
	kernels.SetThreads(threads)
	h, point, err := b.harness(kind, m, name)
	if err != nil {
		return err
	}
	defer h.Close()
	params, _ := arch.Params(m)
	r := &row{Bench: kind, Arch: name, Model: b.model, Impl: kernels.Impl(), Params: params, DType: storedAs(m).String(), Threads: threads, Unit: "tokens/s"}
	b.describe(kind, r)
	c := newCeilings([]int{threads})
	last, around, err := b.sampleModel(h, point, r, c)
	if err != nil {
		return err
	}
	c.measure(steadily)
	scale, ceiling := b.binding(kind, last, c)
	name, best := "fma_peak", c.FMA
	if ceiling != fmaCeiling {
		name, best = ceilingName(ceiling), c.Read[ceiling]
	}
	r.finish(scale*best[threads], name)
	rates := make([]float64, len(around))
	for i, now := range around {
		rates[i] = scale * now[ceiling]
	}
	r.pair(rates)
	return b.print([]*row{r})
}

// harness is one that is ready for samples of the point.
func (b *bench) harness(kind string, m arch.Model, name string) (h *workload.Harness, point int, err error) {
	s := b.settings(kind)
	if err := s.Complete(); err != nil {
		return nil, 0, err
	}
	B, T := b.window(kind)
	env := &workload.Env{Model: m, Arch: name, Tokens: benchText(max(B*T, leastText)+1, m.Vocab()), Vocab: m.Vocab(), Seed: 1}
	if h, err = workload.NewHarness(workload.Of(s), s, env); err != nil {
		return nil, 0, err
	}
	point = s.Points()[0]
	if err = h.Ready([]int{point}); err == nil {
		_, err = h.Visit(point)
	}
	if err != nil {
		h.Close()
		return nil, 0, err
	}
	return h, point, nil
}

// describe says what of the flags a row is of.
func (b *bench) describe(kind string, r *row) {
	B, T := b.window(kind)
	if kind == kindDecode {
		if r.Depth = &b.context; B > 1 {
			r.Shape = fmt.Sprintf("B=%d", B)
		}
		return
	}
	r.Shape = fmt.Sprintf("B=%d T=%d", B, T)
	if kind == kindPrefill && b.context > 0 {
		r.Shape += fmt.Sprintf(" after=%d", b.context)
	}
	if b.chunk > 0 {
		r.Shape += fmt.Sprintf(" chunk=%d", b.chunk)
	}
	if b.cascade {
		r.Shape += " cascade"
	}
}

// sampleModel takes the samples, and what the ceilings are before and after
// each.
func (b *bench) sampleModel(h *workload.Harness, point int, r *row, c *benchCeilings) (last *record.Record, around []map[string]float64, err error) {
	count, end := b.progress(b.repeat)
	defer end()
	c.measure(briefly)
	around = append(around, c.now())
	for range b.repeat {
		if last, err = h.Sample(point, 1); err != nil {
			return nil, nil, err
		}
		tokens, _ := last.Value(meter.Tokens.Name)
		seconds, _ := last.Value(meter.Duration.Name)
		r.Samples = append(r.Samples, tokens/seconds)
		c.measure(briefly)
		around = append(around, c.now())
		count()
	}
	return last, around, nil
}

// binding is the ceiling that a sample's work has, and how many tokens a second
// each of its units is.
func (b *bench) binding(kind string, r *record.Record, c *benchCeilings) (scale float64, ceiling string) {
	if kind != kindDecode {
		operations, _ := r.Value(workload.Operations.Name)
		return 1e9 / operations, fmaCeiling
	}
	B, _ := b.window(kind)
	bytes, _ := r.Value(workload.BytesRead.Name)
	return 1e9 / bytes, c.Level(bytes*float64(B), c.threads[0])
}

// open builds the model, or reads its file, where memory holds it and its work.
func (b *bench) open(kind string) (m arch.Model, name string, err error) {
	if b.model != "" {
		f, err := openModel(b.model, b.set, b.dtype)
		if err != nil {
			return nil, "", err
		}
		f.close()
		return f.Model, f.weights.Arch, b.fits(kind, f.outline)
	}
	set, err := settings.Parse(b.set)
	if err != nil {
		return nil, "", usageError{fmt.Errorf("--set: %w", err)}
	}
	t, err := kernels.ParseDType(b.dtype)
	if err != nil {
		return nil, "", err
	}
	o, err := arch.NewOutline(b.arch, set)
	if err != nil {
		return nil, "", usageError{err}
	}
	if err := b.fits(kind, o, b.weights(o, t)); err != nil {
		return nil, "", err
	}
	slow := time.AfterFunc(2*time.Second, func() { fmt.Fprintln(b.out.stderr, "making the model's weights") })
	defer slow.Stop()
	if m, _, err = arch.Filled(b.arch, set, 1); err != nil {
		return nil, "", err
	}
	return m, b.arch, nn.Store(m, t)
}

// storedAs is the type that most of a model's bytes are stored as.
func storedAs(m arch.Model) (most kernels.DType) {
	bytes := map[kernels.DType]int{}
	nn.Walk(m, func(p nn.Param) {
		t := kernels.F32
		if p.Tensor.Stored != nil {
			t = p.Tensor.Stored.Type
		}
		if bytes[t] += p.Tensor.Bytes(); bytes[t] > bytes[most] {
			most = t
		}
	})
	return most
}

// leastText is how many tokens the text has that is read over and over.
const leastText = 4096

// benchText is a text of n tokens.
func benchText(n, vocab int) []int32 {
	ids := make([]int32, n)
	for i := range ids {
		ids[i] = int32((i*7919 + 13) % vocab)
	}
	return ids
}
