package reports

import (
	"bytes"
	"fmt"
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

// A maker builds a run with known answers: rwkv4 takes 1 ms a token at every
// depth, the transformer 0.8 ms plus 0.5 µs a token of depth, the RNN 0.3 ms.
type maker struct {
	run  record.Run
	recs []record.Record
	rng  *rand.Rand
}

var archs = []string{"rwkv4", "transformer", "rnn"}

func newMaker() *maker {
	end := epoch.Add(17 * time.Minute)
	m := &maker{rng: rand.New(rand.NewPCG(1, 2)), run: record.Run{Schema: record.Schema, Study: "article",
		Title:    "RWKV-4 against a transformer and an RNN",
		Question: "Does RWKV generate at a cost that does not grow with what it has read, and does it learn as well?",
		Method:   "Every model runs in a process of its own; the processes take samples in turn, in random order within each round.",
		Predicts: "RWKV's time per token is flat in depth; the transformer's is not.",
		Profile:  "quick", Seed: 7, Command: "workbench run article --profile quick --seed 7",
		StudyYAML: "name: article\nseeds: 5\n",
		Parts: []record.Part{
			{Name: "cost", Title: "What a token costs", Note: "Equal parameters, one sequence, two threads.", Labels: slices.Clone(archs), Baseline: "rwkv4"},
			{Name: "quality", Title: "What the models learn", Labels: slices.Clone(archs), Baseline: "rwkv4"},
			{Name: "ablation", Title: "What token shift is worth", Labels: []string{"rwkv4", "rwkv4 token_shift=none", "rwkv4 token_shift=fixed", "rwkv4 time_decay=none"}, Baseline: "rwkv4"},
		},
		Cuts: []string{"cost: depth 32768 would take 40 minutes"},
		Host: record.Host{CPU: "Synthetic 3000", Cores: 2, MemBytes: 16 << 30, OS: "linux", Go: "go1.26.8", Features: []string{"avx2", "fma"},
			Caches: map[string]int64{"L1d": 32 << 10, "L2": 1 << 20}, FMAPeak: map[string]float64{"1": 98.5, "2": 190}, ReadGBs: map[string]float64{"1": 12, "2": 19},
			NoiseFloor: ptr(0.03), Energy: []record.Energy{{Tier: record.TierNone, Domain: "cpu", Source: "RAPL", Total: true, Reason: "no powercap tree on this machine"},
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
	m.recs = append(m.recs, record.Record{Schema: record.Schema, Part: "cost", Cell: "failed-cell", Label: "rnn", Phase: "train", Error: "the cell's process was killed: out of memory"})
	m.plan("cost", "rnn", "train", "context 4096", "failed-cell")
	return m
}

func (m *maker) plan(part, label, phase, what, id string) {
	m.run.Cells = append(m.run.Cells, record.Cell{ID: id, Part: part, Label: label, Phase: phase, What: what})
}

func (m *maker) noise() float64 { return math.Exp(0.01 * m.rng.NormFloat64()) }

func (m *maker) add(part, label, phase, what string, r record.Record) {
	id := fmt.Sprintf("%s/%s/%s/%s", part, label, phase, what)
	if n := len(m.run.Cells); n == 0 || m.run.Cells[n-1].ID != id {
		m.plan(part, label, phase, what, id)
	}
	r.Schema, r.Study, r.Part, r.Label, r.Arch, r.Phase, r.Cell = record.Schema, "article", part, label, label, phase, id
	r.Threads, r.Impl, r.Time = 2, "avx2", epoch
	if r.Batch == 0 {
		r.Batch = 1
	}
	r.Params = map[string]int{"rwkv4": 3_300_000, "transformer": 3_310_000, "rnn": 3_290_000}[label]
	r.ParamsNonEmb = r.Params - 130_000
	m.recs = append(m.recs, r)
}

func stepSeconds(arch string, depth int) float64 {
	switch arch {
	case "transformer":
		return 0.8e-3 + 0.5e-6*float64(depth)
	case "rnn":
		return 0.3e-3
	}
	return 1e-3
}

func stateBytes(arch string, depth int) int64 {
	switch arch {
	case "transformer":
		return int64(depth) * 2 * 6 * 256 * 4
	case "rnn":
		return 2048
	}
	return 5 * 6 * 256 * 4
}

func (m *maker) costs() {
	for _, a := range archs {
		for _, depth := range []int{0, 256, 1024, 4096, 8192} {
			for round := range 8 {
				ns := int64(stepSeconds(a, depth) * m.noise() * 64e9)
				r := record.Record{Depth: depth, Round: round, Tokens: 64, DurationNS: ns, CPUNS: ptr(ns * 18 / 10), GCShare: ptr(0.002), SchedShare: ptr(0.01),
					StateBytes: ptr(stateBytes(a, depth)), PeakRSSBytes: ptr(int64(60<<20) + stateBytes(a, depth)), HeapBytes: ptr(int64(40 << 20)), ArenaBytes: ptr(int64(3 << 20)),
					Energy: []record.Energy{{Tier: record.TierEstimated, Domain: "cpu estimate", Source: "TDP model", Total: true, Joules: ptr(35 * float64(ns) / 1e9), WindowNS: ns, Reason: "assumes 35 W"}}}
				for range 64 {
					r.LatencyNS = append(r.LatencyNS, int64(float64(ns)/64*m.noise()*m.noise()))
				}
				m.add("cost", a, "decode", fmt.Sprintf("depth %d", depth), r)
			}
		}
		for _, chunk := range []int{1, 16, 128, 0} {
			for round := range 8 {
				speed := 1000 * math.Pow(float64(max(1, chunk+900*map[bool]int{true: 1}[chunk == 0])), 0.3) * m.noise()
				m.add("cost", a, "prefill", fmt.Sprintf("chunk %d", chunk), record.Record{Chunk: chunk, Round: round, Tokens: 1024, DurationNS: int64(1024 / speed * 1e9), ArenaBytes: ptr(int64(9 << 20))})
			}
		}
		for _, context := range []int{128, 512, 2048} {
			for round := range 8 {
				speed := 2500 * m.noise() / (1 + float64(context)/9000*map[string]float64{"transformer": 3}[a])
				m.add("cost", a, "train", fmt.Sprintf("context %d", context), record.Record{Context: context, Batch: 4, Round: round, Tokens: 2048, DurationNS: int64(2048 / speed * 1e9), PeakRSSBytes: ptr(int64(300 << 20))})
			}
		}
	}
	m.add("cost", "rwkv4", "check", "modes", record.Record{Check: &record.Check{Name: "modes", Value: 3e-6, What: "largest difference of a logit"}})
}

func (m *maker) quality(part string) {
	labels := archs
	if part == "ablation" {
		labels = m.run.Parts[2].Labels
	}
	for i, a := range labels {
		for seed := range 5 {
			end := 2.1 + 0.08*float64(i) + 0.01*m.rng.NormFloat64()
			q := &record.Quality{Corpus: "go", LR: 6e-4, Steps: 400, ValBPB: end, WeightsHash: fmt.Sprintf("%064x", seed*10+i)}
			for step := 50; step <= 400; step += 50 {
				q.Curve = append(q.Curve, record.CurvePoint{Step: step, Tokens: step * 2048, ValBPB: end + 3*math.Exp(-float64(step)/90) + 0.01*m.rng.NormFloat64()})
			}
			for b := range 6 {
				q.ByPosition = append(q.ByPosition, record.Bucket{From: b * 256, To: (b + 1) * 256, BPB: end - 0.02*float64(b)*map[bool]float64{true: -3, false: 1}[a == "transformer"] + 0.005*m.rng.NormFloat64()})
			}
			if a != "transformer" {
				for _, every := range []int{1, 4, 16, 64} {
					q.Probes = append(q.Probes, record.Probe{Slots: "wkv", Every: every, BPB: end + 0.8/float64(every) + 0.01*m.noise(), Base: end},
						record.Probe{Slots: "shift", Every: every, BPB: end + 0.5/float64(every)/float64(every), Base: end})
				}
			}
			m.add(part, a, "quality", fmt.Sprintf("seed %d", seed), record.Record{Seed: uint64(seed), Context: 256, Batch: 8, Tokens: 400 * 2048, Quality: q})
		}
	}
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
	if err := os.WriteFile(filepath.Join(dir, "records.jsonl"), b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}
