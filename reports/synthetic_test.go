package reports

import (
	"bytes"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"workbench/experiments/record"
)

func ptr[T any](v T) *T { return &v }

var epoch = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// The quantities of synthetic records, as the program's meters and workloads
// define them.
var (
	qParams    = record.Quantity{Name: "params", Title: "parameters", Unit: "parameters", Kind: record.Exact}
	qInner     = record.Quantity{Name: "params_nonemb", Title: "parameters without embeddings and head", Unit: "parameters", Kind: record.Exact}
	qTokens    = record.Quantity{Name: "tokens", Title: "tokens of a sample", Unit: "tokens", Kind: record.Exact}
	qDuration  = record.Quantity{Name: "duration", Title: "time of a sample", Unit: "s", Kind: record.Timed}
	qPerToken  = record.Quantity{Name: "duration_per_token", Title: "time per token", Unit: "s/token", Kind: record.Timed, Better: record.Lower, Main: true}
	qSpeed     = record.Quantity{Name: "tokens_per_second", Title: "speed", Unit: "tokens/s", Kind: record.Timed, Better: record.Higher}
	qCores     = record.Quantity{Name: "cores_busy", Title: "cores busy", Kind: record.Timed}
	qCPU       = record.Quantity{Name: "cpu_per_token", Title: "processor time per token", Unit: "s/token", Kind: record.Timed, Better: record.Lower}
	qCollector = record.Quantity{Name: "gc_share", Title: "garbage collector's share of processor time", Kind: record.Timed, Better: record.Lower}
	qWaiting   = record.Quantity{Name: "sched_share", Title: "share of goroutine time spent waiting to run", Kind: record.Timed, Better: record.Lower}
	qState     = record.Quantity{Name: "state_bytes", Title: "state", Unit: "B", Kind: record.Exact, Better: record.Lower, Main: true}
	qPeak      = record.Quantity{Name: "peak_rss_bytes", Title: "peak resident memory", Unit: "B", Kind: record.Exact, Better: record.Lower, Main: true}
	qHeap      = record.Quantity{Name: "heap_bytes", Title: "Go heap", Unit: "B", Kind: record.Timed, Better: record.Lower}
	qArena     = record.Quantity{Name: "arena_bytes", Title: "activation arena", Unit: "B", Kind: record.Exact, Better: record.Lower}
	qJoules    = record.Quantity{Name: "joules_per_token", Title: "measured energy per token", Unit: "J/token", Kind: record.Timed, Better: record.Lower, Main: true}
	qEstimate  = record.Quantity{Name: "joules_per_token_estimated", Title: "energy per token, estimated from time", Unit: "J/token", Kind: record.Estimated, Better: record.Lower}
	qLoss      = record.Quantity{Name: "val_bits_per_byte", Title: "held-out loss", Unit: "bits/byte", Kind: record.Seeded, Better: record.Lower, Main: true}
	qGap       = record.Quantity{Name: "long_context_gap", Title: "loss of the last positions minus that of the first", Unit: "bits/byte", Kind: record.Seeded, Better: record.Lower}
	qModes     = record.Quantity{Name: "modes", Title: "largest difference of a logit", Kind: record.Exact, Better: record.Lower}
)

func qProbe(slots string, every int) record.Quantity {
	return record.Quantity{Name: fmt.Sprintf("probe:%s/%d", slots, every), Title: fmt.Sprintf("loss from forgetting %s every %d tokens", slots, every),
		Unit: "bits/byte", Kind: record.Seeded, Better: record.Lower}
}

// workloads are those of synthetic records.
func workloads() []record.Workload {
	return []record.Workload{
		{Name: "decode", Title: "Generation", Axis: &record.Axis{Key: "depth", Title: "Context already read", Unit: "tokens"}},
		{Name: "prefill", Title: "Prefill", Axis: &record.Axis{Key: "chunk", Title: "Piece read per call", Unit: "tokens"}},
		{Name: "train", Title: "Training", Axis: &record.Axis{Key: "context", Title: "Training window", Unit: "tokens"}},
		{Name: "toy", Title: "Juggling", Axis: &record.Axis{Key: "balls", Title: "Balls in the air"}},
		{Name: "quality", Title: "Quality"},
		{Name: "check", Title: "Checks"},
	}
}

// sample is a record of an arm: at a place of the workload's axis and in a
// block, or for a workload without an axis, of a seed.
func sample(part, arm, workload string, at float64, turn int, values ...record.Value) record.Record {
	r := record.Record{Schema: record.Schema, Time: epoch, Values: values, Keys: map[string]any{record.KeyStudy: "article", record.KeyPart: part,
		record.KeyArm: arm, record.KeyArch: arm, record.KeyWorkload: workload, record.KeyThreads: 2.0, record.KeyImpl: "avx2", record.KeySeed: float64(turn), "batch": 1.0}}
	for _, w := range workloads() {
		if w.Name == workload && w.Axis != nil {
			maps.Copy(r.Keys, map[string]any{w.Axis.Key: at, record.KeyBlock: float64(turn), record.KeySlot: 0.0, record.KeySeed: 1.0})
		}
	}
	return r
}

// timed are the values of work on tokens that took seconds, with two cores
// busy nine tenths of the time.
func timed(tokens, seconds float64) []record.Value {
	return []record.Value{qTokens.Of(tokens), qDuration.Of(seconds), qPerToken.Of(seconds / tokens), qSpeed.Of(tokens / seconds),
		qCores.Of(1.8), qCPU.Of(1.8 * seconds / tokens)}
}

// A maker builds a run with known answers: rwkv4 takes 1 ms a token at every
// depth, the transformer 0.8 ms plus 0.5 µs a token of depth, the RNN 0.3 ms.
type maker struct {
	run  record.Run
	recs []record.Record
	rng  *rand.Rand
}

var archs = []string{"rwkv4", "transformer", "rnn"}

// again is the baseline's second process.
const again = "rwkv4 again"

func newMaker() *maker {
	end := epoch.Add(17 * time.Minute)
	m := &maker{rng: rand.New(rand.NewPCG(1, 2)), run: record.Run{Schema: record.Schema, Study: "article",
		Title:    "RWKV-4 against a transformer and an RNN",
		Question: "Does RWKV generate at a cost that does not grow with what it has read, and does it learn as well?",
		Method:   "Every model runs in a process of its own; the processes take samples in turn, in random order within each round.",
		Predicts: "RWKV's time per token is flat in depth; the transformer's is not.",
		Profile:  "quick", Seed: 7, Command: "workbench run article --profile quick --seed 7",
		StudyYAML: "name: article\nseeds: 5\n", Workloads: workloads(),
		Parts: []record.Part{
			{Name: "cost", Title: "What a token costs", Note: "Equal parameters, one sequence, two threads.", Arms: slices.Clone(archs), Baseline: "rwkv4", Placebo: again},
			{Name: "quality", Title: "What the models learn", Arms: slices.Clone(archs), Baseline: "rwkv4"},
			{Name: "ablation", Title: "What token shift is worth", Arms: []string{"rwkv4", "rwkv4 token_shift=none", "rwkv4 token_shift=fixed", "rwkv4 time_decay=none"}, Baseline: "rwkv4"},
		},
		Cuts: []string{"cost: depth 32768 would take 40 minutes"},
		Host: record.Host{CPU: "Synthetic 3000", Cores: 2, MemBytes: 16 << 30, OS: "linux", Go: "go1.26.8", Features: []string{"avx2", "fma"},
			Caches: map[string]int64{"L1d": 32 << 10, "L2": 1 << 20}, FMAPeak: map[string]float64{"1": 98.5, "2": 190}, ReadGBs: map[string]float64{"1": 12, "2": 19},
			Energy: []record.Energy{{Tier: record.TierNone, Domain: "cpu", Source: "RAPL", Total: true, Reason: "no powercap tree on this machine"},
				{Tier: record.TierEstimated, Domain: "cpu estimate", Source: "TDP model", Total: true, Reason: "assumes 35 W at full load"}},
			Warnings: []string{"one core is shared with another guest"}},
		Corpora: []record.Corpus{{Name: "go", Source: "Go standard library source", Bytes: 51234567, SHA256: "ab12"}},
		Sources: map[string]string{"commit": "0123abcd", "dirty": "false", "go": "go1.26.8", "binary_sha256": "ffee"},
		Started: epoch, Finished: &end}}
	m.run.Claims = []record.Claim{
		{ID: "flat", Says: "RWKV's time per token does not depend on what was read.", Rules: []record.Rule{{Kind: "slope", Part: "cost", Phase: "decode", Metric: "duration_per_token", Arch: "rwkv4", Over: "depth", Below: ptr(0.05)}}},
		{ID: "linear", Says: "The transformer's cache grows in proportion to what was read.", Rules: []record.Rule{{Kind: "slope", Part: "cost", Phase: "decode", Metric: "state_bytes", Arch: "transformer", Over: "depth", Above: ptr(0.95), Below: ptr(1.05)}}},
		{ID: "faster", Says: "At the largest depth RWKV is faster than the transformer.", Rules: []record.Rule{{Kind: "ratio", Part: "cost", Phase: "decode", Metric: "duration_per_token", Arch: "rwkv4", Than: "transformer", Over: "depth", Below: ptr(1.0)}}},
		{ID: "rnn", Says: "RWKV is as fast as an RNN.", Rules: []record.Rule{{Kind: "ratio", Part: "cost", Phase: "decode", Metric: "duration_per_token", Arch: "rwkv4", Than: "rnn", Over: "depth", Below: ptr(1.5)}}},
		{ID: "energy", Says: "RWKV uses less energy per token.", Rules: []record.Rule{{Kind: "ratio", Part: "cost", Phase: "decode", Metric: "joules_per_token", Arch: "rwkv4", Than: "transformer", Over: "depth", Below: ptr(1.0)}}},
		{ID: "shift", Says: "Token shift lowers the loss.", Rules: []record.Rule{{Kind: "difference", Part: "ablation", Phase: "quality", Metric: "val_bits_per_byte", Arch: "rwkv4 token_shift=none", Than: "rwkv4", Above: ptr(0.0)}}},
		{ID: "modes", Says: "All ways of running RWKV agree.", Rules: []record.Rule{{Kind: "check", Part: "cost", Phase: "check", Metric: "modes", Arch: "rwkv4", Below: ptr(1e-4)}}},
		{ID: "scale", Says: "The advantage holds at seven billion parameters.", Why: "this machine is too small"},
	}
	m.costs()
	for _, part := range []string{"quality", "ablation"} {
		m.quality(part)
	}
	m.plan("cost", "transformer", "decode", "depth 16384", "missing-cell")
	dead := sample("cost", "rnn", "train", 4096, 0)
	dead.Cell, dead.Error = "failed-cell", "the cell's process was killed: out of memory"
	m.recs = append(m.recs, dead)
	m.plan("cost", "rnn", "train", "context 4096", "failed-cell")
	return m
}

func (m *maker) plan(part, arm, workload, what, id string) {
	m.run.Cells = append(m.run.Cells, record.Cell{ID: id, Part: part, Arm: arm, Workload: workload, What: what})
}

func (m *maker) noise() float64 { return math.Exp(0.01 * m.rng.NormFloat64()) }

// add puts a record into the run, with its cell and the size of its model.
func (m *maker) add(what string, r record.Record) {
	part, arm, workload := r.Text(record.KeyPart), r.Text(record.KeyArm), r.Text(record.KeyWorkload)
	r.Cell = fmt.Sprintf("%s/%s/%s/%s", part, arm, workload, what)
	if arm == again {
		r.Keys[record.KeyPlacebo] = true
	}
	if n := len(m.run.Cells); n == 0 || m.run.Cells[n-1].ID != r.Cell {
		m.plan(part, arm, workload, what, r.Cell)
	}
	if size := map[string]float64{"rwkv4": 3_300_000, "transformer": 3_310_000, "rnn": 3_290_000}[arm]; size > 0 {
		r.Add(qParams.Of(size))
		r.Add(qInner.Of(size - 130_000))
	}
	m.recs = append(m.recs, r)
}

func stepSeconds(arch string, depth float64) float64 {
	switch arch {
	case "transformer":
		return 0.8e-3 + 0.5e-6*depth
	case "rnn":
		return 0.3e-3
	}
	return 1e-3
}

func stateBytes(arch string, depth float64) float64 {
	switch arch {
	case "transformer":
		return depth * 2 * 6 * 256 * 4
	case "rnn":
		return 2048
	}
	return 5 * 6 * 256 * 4
}

func (m *maker) costs() {
	for _, a := range append(slices.Clone(archs), again) {
		for _, depth := range []float64{0, 256, 1024, 4096, 8192} {
			for block := range 8 {
				m.add(fmt.Sprintf("depth %g", depth), m.decode(a, depth, block))
			}
		}
		for _, chunk := range []float64{1, 16, 128, 1024} {
			for block := range 8 {
				speed := 1000 * math.Pow(min(chunk, 900), 0.3) * m.noise()
				r := sample("cost", a, "prefill", chunk, block, append(timed(1024, 1024/speed), qArena.Of(9<<20))...)
				r.Keys["text"] = 1024.0
				m.add(fmt.Sprintf("chunk %g", chunk), r)
			}
		}
		for _, context := range []float64{128, 512, 2048} {
			for block := range 8 {
				speed := 2500 * m.noise() / (1 + context/9000*map[string]float64{"transformer": 3}[a])
				r := sample("cost", a, "train", context, block, append(timed(2048, 2048/speed), qPeak.Of(300<<20))...)
				r.Keys["batch"] = 4.0
				m.add(fmt.Sprintf("context %g", context), r)
			}
		}
	}
	m.add("modes", sample("cost", "rwkv4", "check", 0, 1, qModes.Of(3e-6)))
}

func (m *maker) decode(arch string, depth float64, block int) record.Record {
	seconds := stepSeconds(arch, depth) * m.noise() * 64
	state := stateBytes(arch, depth)
	r := sample("cost", arch, "decode", depth, block, append(timed(64, seconds), qCollector.Of(0.002), qWaiting.Of(0.01),
		qState.Of(state), qPeak.Of(60<<20+state), qHeap.Of(40<<20), qArena.Of(3<<20), qJoules.Missing("no powercap tree on this machine"))...)
	estimate := qEstimate.Of(35 * seconds / 64)
	estimate.Source, estimate.Reason = "TDP model", "assumes 35 W"
	r.Add(estimate)
	latency := record.Series{Name: "latency", Title: "latency of a token", Unit: "s"}
	for range 64 {
		latency.Y = append(latency.Y, seconds/64*m.noise()*m.noise())
	}
	r.Samples = []record.Series{latency}
	return r
}

func (m *maker) quality(part string) {
	arms := archs
	if part == "ablation" {
		arms = m.run.Parts[2].Arms
	}
	for i, a := range arms {
		for seed := range 8 {
			m.add(fmt.Sprintf("seed %d", seed), m.training(part, a, i, seed))
		}
	}
}

// training is what an arm learned with a seed: the i-th arm is 0.08 bits worse
// than the one before.
func (m *maker) training(part, arm string, i, seed int) record.Record {
	end := 2.1 + 0.08*float64(i) + 0.01*m.rng.NormFloat64()
	curve := record.Series{Name: "val_bits_per_byte", Title: "held-out loss", Unit: "bits/byte", Axis: "training text read", AxisUnit: "tokens"}
	for step := 50.0; step <= 400; step += 50 {
		curve.X, curve.Y = append(curve.X, step*2048), append(curve.Y, end+3*math.Exp(-step/90)+0.01*m.rng.NormFloat64())
	}
	place := record.Series{Name: "loss_by_position", Title: "held-out loss", Unit: "bits/byte", Axis: "position in the text", AxisUnit: "tokens"}
	for b := range 6 {
		x := float64(b)
		place.X = append(place.X, math.Sqrt(max(1, x*256)*(x+1)*256))
		place.Y = append(place.Y, end-0.02*x*map[bool]float64{true: -3, false: 1}[arm == "transformer"]+0.005*m.rng.NormFloat64())
	}
	r := sample(part, arm, "quality", 0, seed, qLoss.Of(end), qGap.Of(place.Y[5]-place.Y[0]))
	maps.Copy(r.Keys, map[string]any{"batch": 8.0, "context": 256.0, "lr": 6e-4, "steps": 400.0, "corpus": "go"})
	r.Samples = []record.Series{curve, place}
	r.Notes = map[string]string{weights: fmt.Sprintf("%064x", seed*10+i)}
	if arm != "transformer" {
		for _, every := range []int{1, 4, 16, 64} {
			r.Add(qProbe("wkv", every).Of(0.8/float64(every) + 0.01*m.noise()))
			r.Add(qProbe("shift", every).Of(0.5 / float64(every*every)))
		}
	}
	return r
}

// save writes the run as the runner does.
func (m *maker) save(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := record.SaveRun(dir, &m.run); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	for i := range m.recs {
		line, err := m.recs[i].MarshalLine()
		if err != nil {
			t.Fatal(err)
		}
		b.Write(line)
	}
	if err := os.WriteFile(filepath.Join(dir, record.RecordsFile), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
