package main

import (
	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/experiments/meter"
	"workbench/experiments/workload"
	"workbench/kernels"
)

// smallerModel is what makes the weights of a model fewer.
const smallerModel = "a smaller dim, fewer layers or a smaller vocab"

// fitsFile refuses a model file that memory cannot hold, before any of it is
// read: its matrices as t, or as the file holds them. o is the outline of the
// model that the weights are for.
func fitsFile(w *checkpoint.Weights, o *arch.Outline, t kernels.DType, stored bool) error {
	bytes, _ := w.Needs(t, stored)
	smaller := "--dtype file or a narrower one"
	if stored {
		smaller = "a smaller or more quantised model"
	}
	n := meter.Need{What: "the model", Parts: []meter.Part{{Name: "weights", Bytes: bytes, Smaller: smaller}}, Reserved: o.WeightBytes(kernels.F32)}
	return n.Fits()
}

// fitsConvert is fitsFile where no more than some rows of a weight are in
// memory at a time.
func fitsConvert(w *checkpoint.Weights, o *arch.Outline) error {
	return meter.Need{What: "the model", Reserved: o.WeightBytes(kernels.F32)}.Fits()
}

// fitsReading refuses what would take more memory than there is beside the
// model: B sequences that have read tokens, piece of them at a time, and the
// scores of that many tokens at once. Flags is what makes them fewer.
func (m *fileModel) fitsReading(B, tokens, piece, scored int, flags string) error {
	return meter.Need{What: "what the model reads", Parts: readingParts(m.outline, B, tokens, piece, scored, flags)}.Fits()
}

func readingParts(o *arch.Outline, B, tokens, piece, scored int, flags string) []meter.Part {
	at := float64(B)
	return []meter.Part{
		{Name: "state", Bytes: o.StateBytes(B, tokens), Smaller: flags},
		{Name: "activations", Bytes: o.ReadBytes(at*float64(piece)) + o.LogitBytes(at*float64(scored)), Smaller: flags},
	}
}

// fits refuses a training that memory cannot hold.
func (j *trainJob) fits(config map[string]any) error {
	o, err := arch.NewOutline(j.Arch, config)
	if err != nil {
		return usageError{err}
	}
	p := j.Plan
	tokens := float64(p.Batch) * float64(p.Context)
	weights, activations := o.TrainBytes(tokens, p.Recompute)
	n := meter.Need{What: "training", Parts: []meter.Part{
		{Name: "weights, gradients and moments", Bytes: weights, Smaller: smallerModel + " in --set"},
		{Name: "evaluation", Bytes: o.ReadBytes(tokens) + o.LogitBytes(tokens), Smaller: "a smaller --batch or --context"},
		{Name: "activations", Bytes: activations, Smaller: "a smaller --batch or --context, or --recompute"},
	}}
	return fitsStep(n, o, p.Batch, p.Context, p.Recompute)
}

// fitsStep tells whether a need fits whose last part is the least that the
// activations of a training step take. Where it is not certain that these fit
// they are measured.
func fitsStep(n meter.Need, o *arch.Outline, B, T int, recompute bool) error {
	free := meter.AtHand()
	if err := n.Within(free); err != nil {
		return err
	}
	activations := &n.Parts[len(n.Parts)-1].Bytes
	if *activations *= atMost; n.Within(free) == nil {
		return nil
	}
	bytes, err := o.StepBytes(B, T, recompute)
	if err != nil {
		return err
	}
	*activations = bytes
	return n.Within(free)
}

// atMost is how many times the least the activations of any architecture take.
const atMost = 12

// fits refuses to time what memory cannot hold, beside the parts given.
func (b *bench) fits(kind string, o *arch.Outline, parts ...meter.Part) error {
	n := b.need(kind, o, parts...)
	if B, T := b.window(kind); trains(kind) {
		return fitsStep(n, o, B, T, false)
	}
	return n.Fits()
}

// need is what timing a model takes of memory: parts of it given, its work.
func (b *bench) need(kind string, o *arch.Outline, parts ...meter.Part) meter.Need {
	B, T := b.window(kind)
	switch kind {
	case kindPrefill:
		work := readingParts(o, B, b.context+T, max(min(b.context, workload.ReadChunk), min(T, orDefault(b.chunk, T))), 1, "a smaller --tokens, --context, --chunk or --batch")
		work[0].Bytes += o.StateBytes(B, b.context) // to begin every sample from
		parts = append(parts, work...)
	case kindDecode:
		work := readingParts(o, B, b.context+2*T, min(b.context, workload.ReadChunk), 1, "a smaller --context or --batch")
		work[0].Bytes += o.StateBytes(B, b.context)
		parts = append(parts, work...)
	case kindTrain, kindLayer:
		weights, activations := o.TrainBytes(float64(B)*float64(T), false)
		gradients := meter.Part{Name: "gradients and moments", Bytes: weights * 3 / 4, Smaller: smallerModel}
		if kind == kindLayer {
			gradients = meter.Part{Name: "gradients", Bytes: weights / 4, Smaller: smallerModel}
			activations -= o.LogitBytes(float64(B) * float64(T))
		}
		parts = append(parts, gradients, meter.Part{Name: "activations", Bytes: activations, Smaller: "a smaller --context, --batch or --tokens"})
	}
	return meter.Need{What: "bench " + kind, Parts: parts}
}

// weights are those that are made for bench: in float32, and then as t.
func (b *bench) weights(o *arch.Outline, t kernels.DType) meter.Part {
	bytes := o.WeightBytes(kernels.F32)
	if t != kernels.F32 {
		bytes += o.WeightBytes(t)
	}
	return meter.Part{Name: "weights", Bytes: bytes, Smaller: smallerModel + " in --set"}
}
