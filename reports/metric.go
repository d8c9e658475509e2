package reports

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"workbench/experiments/record"
)

// A metric reads one quantity from a record. All times are per sample, so the
// value of a timing metric is an average over the sample's tokens.
type metric struct {
	title, unit string
	exact       bool // counted, or read once a cell: intervals have no width
	timing      bool // subject to the machine's noise floor
	seeded      bool // one value a seed: means and Student's t, not medians
	value       func(*record.Record) (float64, bool)
}

var metrics = map[string]metric{
	"duration_per_token": {"time per token", "s/token", false, true, false, func(r *record.Record) (float64, bool) {
		return float64(r.DurationNS) / 1e9 / float64(r.Tokens), r.Tokens > 0 && r.DurationNS > 0
	}},
	"tokens_per_second": {"speed", "tokens/s", false, true, false, func(r *record.Record) (float64, bool) {
		return float64(r.Tokens) / (float64(r.DurationNS) / 1e9), r.Tokens > 0 && r.DurationNS > 0
	}},
	"state_bytes":    {"state", "B", true, false, false, bytesOf(func(r *record.Record) *int64 { return r.StateBytes })},
	"peak_rss_bytes": {"peak resident memory", "B", true, false, false, bytesOf(func(r *record.Record) *int64 { return r.PeakRSSBytes })},
	"heap_bytes":     {"Go heap", "B", false, false, false, bytesOf(func(r *record.Record) *int64 { return r.HeapBytes })},
	"arena_bytes":    {"activation arena", "B", false, false, false, bytesOf(func(r *record.Record) *int64 { return r.ArenaBytes })},
	"params_nonemb": {"parameters without embeddings", "parameters", true, false, false, func(r *record.Record) (float64, bool) {
		return float64(r.ParamsNonEmb), r.ParamsNonEmb > 0
	}},
	"joules_per_token": {"measured energy per token", "J/token", false, true, false, func(r *record.Record) (float64, bool) {
		return joulesPerToken(r, record.Measured, false)
	}},
	"val_bits_per_byte": {"held-out loss", "bits/byte", false, false, true, func(r *record.Record) (float64, bool) {
		if r.Quality == nil {
			return 0, false
		}
		return r.Quality.ValBPB, finite(r.Quality.ValBPB)
	}},
	"long_context_gap": {"loss of the last position bucket minus the first", "bits/byte", false, false, true, func(r *record.Record) (float64, bool) {
		if r.Quality == nil || len(r.Quality.ByPosition) < 2 {
			return 0, false
		}
		b := r.Quality.ByPosition
		return b[len(b)-1].BPB - b[0].BPB, true
	}},
}

// energy tells whether a meter must have been there for the metric.
func (m metric) energy() bool { return m.unit == "J/token" }

// metricOf knows the metrics by name, and probe:SLOTS/EVERY: the bits per byte
// lost when SLOTS are forgotten every EVERY tokens.
func metricOf(name string) (metric, error) {
	if m, ok := metrics[name]; ok {
		return m, nil
	}
	spec, isProbe := strings.CutPrefix(name, "probe:")
	if slots, every, ok := strings.Cut(spec, "/"); isProbe && ok {
		if k, err := strconv.Atoi(every); err == nil && k > 0 {
			return probe(slots, k), nil
		}
	}
	known := []string{"probe:SLOTS/EVERY"}
	for n := range metrics {
		known = append(known, n)
	}
	slices.Sort(known)
	return metric{}, fmt.Errorf("unknown metric %q: known are %s", name, strings.Join(known, ", "))
}

func probe(slots string, every int) metric {
	return metric{fmt.Sprintf("loss from forgetting %s every %d tokens", slots, every), "bits/byte", false, false, true,
		func(r *record.Record) (float64, bool) {
			if r.Quality == nil {
				return 0, false
			}
			for _, p := range r.Quality.Probes {
				if p.Slots == slots && p.Every == every {
					return p.BPB - p.Base, true
				}
			}
			return 0, false
		}}
}

func bytesOf(field func(*record.Record) *int64) func(*record.Record) (float64, bool) {
	return func(r *record.Record) (float64, bool) {
		if p := field(r); p != nil {
			return float64(*p), true
		}
		return 0, false
	}
}

// joulesPerToken is the record's share of its energy window over its tokens,
// from the total of the best tier that want accepts.
func joulesPerToken(r *record.Record, want func(tier string) bool, net bool) (float64, bool) {
	if r.Tokens <= 0 {
		return 0, false
	}
	for _, tier := range []string{record.TierWall, record.TierCounter, record.TierSampled, record.TierEstimated, record.TierModelled} {
		if !want(tier) {
			continue
		}
		e := record.Total(r.Energy, tier)
		if e == nil {
			continue
		}
		j := e.Joules
		if net {
			j = e.NetJ
		}
		if j == nil || !finite(*j) {
			continue
		}
		share := 1.0
		if e.WindowNS > r.DurationNS && r.DurationNS > 0 {
			share = float64(r.DurationNS) / float64(e.WindowNS)
		}
		return *j * share / float64(r.Tokens), true
	}
	return 0, false
}

// defaultAxis is what a phase varies.
func defaultAxis(phase string) string {
	switch phase {
	case "decode":
		return "depth"
	case "prefill":
		return "chunk"
	case "train":
		return "context"
	}
	return ""
}

// position is where a record stands on an axis. A prefill chunk of 0 is the
// whole prompt at once and stands at the prompt's length.
func (g *group) position(r *record.Record, over string) float64 {
	switch over {
	case "depth":
		return float64(r.Depth)
	case "chunk":
		if r.Chunk == 0 {
			return float64(g.prompt)
		}
		return float64(r.Chunk)
	case "context":
		return float64(r.Context)
	}
	return 0
}

// promptLength is the tokens of the prefilled text: what the records say, or
// the fewest tokens of a sample, since a sample may read the text repeatedly.
func (g *group) promptLength() int {
	said, fewest, chunk := 0, 0, 0
	for _, r := range g.records {
		if r.Phase != "prefill" {
			continue
		}
		said, chunk = max(said, r.Context), max(chunk, r.Chunk)
		if n := r.Tokens / max(1, r.Batch); fewest == 0 || n < fewest {
			fewest = n
		}
	}
	if said > 0 {
		return said
	}
	return max(fewest, chunk)
}

// A place is the samples of one series at one position, keyed by what they are
// paired by: the round for costs, the seed for quality. Several samples of one
// key are averaged.
type place struct {
	x   float64
	all []float64
	by  map[uint64]float64
}

// places collects a metric of one label along an axis, x rising.
func (g *group) places(label, phase, over string, m metric) []place {
	at := map[float64]map[uint64][]float64{}
	for _, r := range g.where(label, phase) {
		v, ok := m.value(r)
		if !ok || !finite(v) {
			continue
		}
		key := uint64(r.Round)
		if phase == "quality" {
			key = r.Seed
		}
		x := g.position(r, over)
		if at[x] == nil {
			at[x] = map[uint64][]float64{}
		}
		at[x][key] = append(at[x][key], v)
	}
	out := make([]place, 0, len(at))
	for x, keys := range at {
		p := place{x: x, by: map[uint64]float64{}}
		for _, k := range rising(keys) {
			p.all = append(p.all, keys[k]...)
			p.by[k] = average(keys[k])
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b place) int {
		if a.x < b.x {
			return -1
		}
		return 1
	})
	return out
}

func rising[V any](m map[uint64]V) []uint64 {
	keys := make([]uint64, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func average(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
