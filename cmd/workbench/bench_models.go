package main

import (
	"errors"
	"fmt"
	"time"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/arch/settings"
	"workbench/experiments/train"
	"workbench/kernels"
)

// models times a whole model's prefill, decode or training step.
func (b *bench) models(kind string) error {
	m, name, vocab, err := b.open(kind)
	if err != nil {
		return err
	}
	threads := b.threadCounts(false)[0]
	defer kernels.SetThreads(kernels.Threads())
	kernels.SetThreads(threads)
	params, _ := arch.Params(m)
	r := &row{Bench: kind, Arch: name, Model: b.model, Impl: kernels.Impl(), Params: params, DType: storedAs(m).String(), Threads: threads, Unit: "tokens/s"}
	prepare := map[string]func(arch.Model, int, *row) (work, error){"prefill": b.prefill, "decode": b.decode, "train": b.train}[kind]
	w, err := prepare(m, vocab, r)
	if err != nil {
		return err
	}
	c := newCeilings([]int{threads})
	// binding is the ceiling that the work has, in tokens/s, and its rate now.
	binding := func() (best, now float64, name string) {
		operations, bytes := w.load()
		if kind == "decode" {
			level := c.Level(bytes, threads)
			scale := 1e9 / bytes * float64(orDefault(b.batch, 1))
			return scale * c.Read[level][threads], scale * c.Now[level][threads], ceilingName(level)
		}
		scale := float64(w.tokens) * 1e9 / operations
		return scale * c.FMA[threads], scale * c.Now["FMA"][threads], "fma_peak"
	}
	var around []float64
	if around, err = b.sampleModel(w, r, c, binding); err != nil {
		return err
	}
	c.measure(steadily)
	best, _, name := binding()
	r.finish(best, name)
	r.pair(around)
	return b.print([]*row{r})
}

// work is what is timed of a model.
type work struct {
	tokens int          // of a sample
	reset  func()       // before a sample, not timed
	sample func() error // is timed
	// load is what the last sample asked of the machine: the operations of its
	// matrix products in all, or the bytes that a step had to read.
	load func() (operations, bytes float64)
}

// sampleModel takes the samples, after one to warm up, and the binding ceiling
// before and after each.
func (b *bench) sampleModel(w work, r *row, c *benchCeilings, binding func() (best, now float64, name string)) (around []float64, err error) {
	p := b.progress(b.repeat + 1)
	for i := range b.repeat + 1 {
		w.reset()
		start := time.Now()
		if err := w.sample(); err != nil {
			return nil, err
		}
		if i > 0 {
			r.Samples = append(r.Samples, float64(w.tokens)/time.Since(start).Seconds())
		}
		c.measure(briefly)
		_, now, _ := binding()
		around = append(around, now)
		p.step(1)
	}
	return around, nil
}

// open builds the model, or reads its file, where memory holds it and its work.
func (b *bench) open(kind string) (m arch.Model, name string, vocab int, err error) {
	if b.model != "" {
		f, err := openModel(b.model, b.set, b.dtype)
		if err != nil {
			return nil, "", 0, err
		}
		f.close()
		return f.Model, f.weights.Arch, f.Vocab(), b.fits(kind, f.outline)
	}
	set, err := settings.Parse(b.set)
	if err != nil {
		return nil, "", 0, usageError{fmt.Errorf("--set: %w", err)}
	}
	t, err := kernels.ParseDType(b.dtype)
	if err != nil {
		return nil, "", 0, err
	}
	o, err := arch.NewOutline(b.arch, set)
	if err != nil {
		return nil, "", 0, usageError{err}
	}
	if err := b.fits(kind, o, b.weights(o, t)); err != nil {
		return nil, "", 0, err
	}
	slow := time.AfterFunc(2*time.Second, func() { fmt.Fprintln(b.out.stderr, "making the model's weights") })
	defer slow.Stop()
	if m, _, err = arch.Filled(b.arch, set, 1); err != nil {
		return nil, "", 0, err
	}
	return m, b.arch, m.Vocab(), nn.Store(m, t)
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

// text is some tokens [B,T].
func text(B, T, vocab int) nn.Tokens {
	tok := nn.Tokens{IDs: make([]int32, B*T), B: B, T: T}
	for i := range tok.IDs {
		tok.IDs[i] = int32((i*7919 + 13) % vocab)
	}
	return tok
}

// last are the vectors of the last position of h [B,T,C].
func last(h *nn.Tensor) *nn.Tensor {
	B, T, C := h.Dim(0), h.Dim(1), h.Dim(2)
	y := nn.New(B, 1, C)
	for b := range B {
		copy(y.Data[b*C:(b+1)*C], h.Data[(b*T+T-1)*C:])
	}
	return y
}

// room tells whether m can hold that many positions.
func room(m arch.Model, positions int) error {
	if limit := arch.Context(m); limit > 0 && positions > limit {
		return fmt.Errorf("%d tokens exceed the model's limit of %d positions: set context or rotary positions", positions, limit)
	}
	return nil
}

// prefill reads a text at once, after a context or from nothing, and scores
// what follows it.
func (b *bench) prefill(m arch.Model, vocab int, r *row) (work, error) {
	B, T := b.window("prefill")
	if err := room(m, b.context+T); err != nil {
		return work{}, err
	}
	g, tok, begin, s := nn.Inference(), text(B, T, vocab), m.NewState(B), m.NewState(B)
	arch.Reserve(s, b.context+T)
	if b.context > 0 {
		m.Forward(g, text(B, b.context, vocab), begin)
	}
	read, err := b.reader(m, g, tok, s)
	if err != nil {
		return work{}, err
	}
	r.Shape = fmt.Sprintf("B=%d T=%d", B, T)
	if b.context > 0 {
		r.Shape += fmt.Sprintf(" after=%d", b.context)
	}
	if b.chunk > 0 {
		r.Shape += fmt.Sprintf(" chunk=%d", b.chunk)
	}
	if b.cascade {
		r.Shape += " cascade"
	}
	return work{
		tokens: B * T,
		reset: func() {
			arch.CopyState(s, begin)
			g.Reset()
			g.Work = nn.Work{}
		},
		sample: func() error {
			m.Logits(g, last(read()))
			return nil
		},
		load: func() (operations, bytes float64) { return float64(g.Work.Operations), 0 },
	}, nil
}

// reader returns what reads tok from s: at once, or in chunks, these in order
// or in a cascade.
func (b *bench) reader(m arch.Model, g *nn.Graph, tok nn.Tokens, s arch.State) (func() *nn.Tensor, error) {
	if b.chunk == 0 {
		return func() *nn.Tensor { return m.Forward(g, tok, s) }, nil
	}
	if b.batch > 1 {
		return nil, errors.New("--chunk reads one sequence: leave out --batch")
	}
	if !b.cascade {
		return func() (h *nn.Tensor) {
			for from := 0; from < tok.T; from += b.chunk {
				to := min(from+b.chunk, tok.T)
				g.Reset()
				h = m.Forward(g, nn.Tokens{IDs: tok.IDs[from:to], B: 1, T: to - from}, s)
			}
			return h
		}, nil
	}
	stack, ok := m.(arch.Layered)
	if !ok {
		return nil, errors.New("--cascade wants a model of layers, which this is not")
	}
	c := arch.NewCascade(stack)
	return func() *nn.Tensor {
		h := c.Run(tok, s, b.chunk)
		g.Work = g.Work.Plus(c.Work())
		return h
	}, nil
}

// decode reads a context, then one token at a time, scoring what follows.
func (b *bench) decode(m arch.Model, vocab int, r *row) (work, error) {
	B, n := b.window("decode")
	if err := room(m, b.context+n); err != nil {
		return work{}, err
	}
	r.Depth = &b.context
	if B > 1 {
		r.Shape = fmt.Sprintf("B=%d", B)
	}
	g, s, saved := nn.Inference(), m.NewState(B), m.NewState(B)
	arch.Reserve(s, b.context+n)
	if b.context > 0 {
		m.Forward(g, text(B, b.context, vocab), s)
	}
	arch.CopyState(saved, s)
	tok, one := text(B, n, vocab), nn.Tokens{IDs: make([]int32, B), B: B, T: 1}
	return work{
		tokens: B * n,
		reset: func() {
			arch.CopyState(s, saved)
			g.Work = nn.Work{}
		},
		sample: func() error {
			for t := range n {
				copy(one.IDs, tok.IDs[t*B:(t+1)*B])
				g.Reset()
				m.Logits(g, m.Forward(g, one, s))
			}
			return nil
		},
		load: func() (operations, bytes float64) { // the state grows evenly, if it does
			return 0, float64(g.Work.WeightBytes/int64(n) + (arch.StateBytes(saved)+arch.StateBytes(s))/2)
		},
	}, nil
}

// train does whole optimiser steps.
func (b *bench) train(m arch.Model, vocab int, r *row) (work, error) {
	B, T := b.window("train")
	if err := room(m, T); err != nil {
		return work{}, err
	}
	r.Shape = fmt.Sprintf("B=%d T=%d", B, T)
	t, tok, targets := train.NewTrainer(m, train.Default.AdamWConfig), text(B, T, vocab), text(B, T+1, vocab).IDs[1:B*T+1]
	var before int64
	return work{
		tokens: B * T,
		reset:  func() { before = t.Work().Operations },
		sample: func() error {
			_, _, err := t.Step(tok, targets, 1e-4)
			return err
		},
		load: func() (operations, bytes float64) { return float64(t.Work().Operations - before), 0 },
	}, nil
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}
