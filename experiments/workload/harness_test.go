package workload

import (
	"math"
	"slices"
	"testing"
	"time"

	"workbench/arch"
	"workbench/experiments/meter"
	"workbench/experiments/record"
)

// A workload and a meter are a file each: these are registered as those of the
// program are.
func init() {
	Register(Workload{
		Workload:   record.Workload{Name: "hop", Title: "Hopping", Axis: &record.Axis{Key: "height", Title: "Height of a hop", Unit: "cm"}},
		Defaults:   func() Settings { return &hops{Height: []int{30, 10}, Rounds: 2} },
		Quantities: []record.Quantity{hopHeight},
	})
	meter.Register("legs", 50, func() meter.Meter { return &legs{} }, legBends)
}

var (
	hopHeight = record.Define(record.Quantity{Name: "hop_height", Title: "height reached", Unit: "cm", Kind: record.Exact, Better: record.Higher})
	legBends  = record.Define(record.Quantity{Name: "leg_bends", Title: "bends of a leg per token", Unit: "bends/token", Kind: record.Exact})
)

// hops are the settings of a workload of four tokens, with an axis and a
// setting of its own.
type hops struct {
	Height  []int `yaml:"height,omitempty,flow" min:"1" max:"500" doc:"height of a hop"`
	Rounds  int   `yaml:"rounds,omitempty" min:"1" max:"9" doc:"samples"`
	climbs  bool
	watched *hopping
}

func (h *hops) Need(*arch.Outline) []meter.Part { return nil }
func (h *hops) Complete() error                 { slices.Sort(h.Height); return nil }
func (h *hops) Points() []int                   { return h.Height }
func (h *hops) Plan() *Timing                   { return &Timing{Rounds: h.Rounds, SampleMS: 1} }
func (h *hops) Most(int) int                    { return 100 }
func (h *hops) Climbs() bool                    { return h.climbs }
func (h *hops) Start(*Env) (Task, error)        { h.watched = &hopping{}; return h.watched, nil }
func (h *hopping) Reach(height int) error       { h.height = height; return nil }
func (h *hopping) Save([]int) error             { return nil }
func (h *hopping) Load() Load                   { return Load{8 * float64(h.since), 20 * float64(h.since), 20} }
func (h *hopping) Describe(r *record.Record)    { r.Add(hopHeight.Of(float64(h.height))) }

// hopping notes how often it is told to do what.
type hopping struct {
	height, since, works int // since the last Restore, and in all
	restored             []int
	spent, paused        time.Duration // in Work, in Restore
	order                []float64     // of the works since the last Restore
}

func (h *hopping) Restore(height int) {
	defer pass(2*time.Millisecond, &h.paused)
	h.height, h.since, h.order = height, 0, nil
	h.restored = append(h.restored, h.works)
}

func (h *hopping) Work() (int, error) {
	defer pass(time.Millisecond, &h.spent)
	h.order = append(h.order, float64(h.works))
	h.since++
	h.works++
	return 4, nil
}

func (h *hopping) Series() []record.Series {
	return []record.Series{{Name: "hops", Title: "hops", Y: h.order, X: h.order}}
}

// pass lets at least that time go by and adds what did.
func pass(d time.Duration, to *time.Duration) {
	begin := time.Now()
	time.Sleep(d)
	*to += time.Since(begin)
}

// tired is how often the meter of a sample asks for more.
var tired int

// legs counts the works of a sample.
type legs struct{ asked int }

func (l *legs) Begin() { l.asked = 0 }

func (l *legs) Enough() bool {
	l.asked++
	return l.asked > tired
}

func (l *legs) End(w meter.Work) meter.Reading {
	return meter.Reading{Values: []record.Value{legBends.Of(float64(2*l.asked) / float64(w.Tokens))}, Warnings: []string{"a leg is sore"}}
}

// newHops is a harness of the toy on a machine without counters.
func newHops(t *testing.T, s *hops) *Harness {
	t.Helper()
	t.Setenv("WORKBENCH_SYSFS", t.TempDir())
	m, _, err := arch.New("rnn", tiny, 1)
	if err != nil {
		t.Fatal(err)
	}
	h, err := NewHarness(Of(s), s, &Env{Model: m, Arch: "rnn", Tokens: someText})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	for _, height := range s.Points() {
		if _, err := h.Visit(height); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Ready(s.Points()); err != nil {
		t.Fatal(err)
	}
	return h
}

// TestHarness: a workload of a test's own and a meter of a test's own are
// measured as those of the program are.
func TestHarness(t *testing.T) {
	w := Find("hop")
	if w == nil || !w.Yields("hop_height") || !w.Yields("leg_bends") || !w.Yields("params") || !w.Yields("duration") || w.Yields("val_bits_per_byte") || !w.Yields("operations_per_token") || !w.Yields("bytes_per_token") || Find("quality").Yields("bytes_per_token") {
		t.Fatalf("the workload is %+v", w)
	}
	if o := w.Options(); len(o) != 2 || o[0].Key != "height" || o[0].Most != 500 || o[1].Least != 1 {
		t.Errorf("its settings are %+v", o)
	}
	s := w.Defaults().(*hops)
	if err := s.Complete(); err != nil {
		t.Fatal(err)
	}
	h := newHops(t, s)
	for _, height := range []int{30, 10} {
		r, err := h.Sample(height, 3)
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]float64{"hop_height": float64(height), "tokens": 12, "leg_bends": 2. / 12, "operations_per_token": 2, "bytes_per_token": 5} {
			if got, ok := r.Value(name); !ok || got != want {
				t.Errorf("height %d: %s is %g, want %g", height, name, got, want)
			}
		}
		for _, name := range []string{"params", "duration", "duration_per_token", "cores_busy", "heap_bytes"} {
			if x, ok := r.Value(name); !ok || x < 0 {
				t.Errorf("height %d: %s is %g, %v", height, name, x, ok)
			}
		}
		for part, pj := range map[string]float64{"arithmetic": 2 * 0.845, "memory": 5 * 1.75} { // in the cache, whose size the machine does not tell
			if x, ok := r.Value("joules_per_token_modelled:" + part); !ok || math.Abs(x*1e12/pj-1) > 1e-9 {
				t.Errorf("height %d: the floor of %s is %g J, want %g pJ", height, part, x, pj)
			}
		}
		if x, _ := r.Key("height"); int(x) != height || !slices.Contains(r.Warnings, "a leg is sore") {
			t.Errorf("height %d: keys %v, warnings %q", height, r.Keys, r.Warnings)
		}
	}
	if _, err := h.Sample(11, 1); err == nil {
		t.Error("a point that was not visited is sampled")
	}
}

// TestEnough: where a meter asks for more, the work is done again from its
// point on, off the clock till then, and all of it counts.
func TestEnough(t *testing.T) {
	defer func() { tired = 0 }()
	for _, c := range []struct {
		climbs  bool
		repeats int
		works   []int // before each Restore, then in all
	}{
		{true, 3, []int{0, 3, 6, 9}},
		{false, 3, []int{0, 3, 4, 5}},
		{true, 0, []int{0, 1, 2, 3}},
	} {
		tired = 0
		s := &hops{Height: []int{10}, Rounds: 1, climbs: c.climbs}
		h := newHops(t, s)
		*s.watched, tired = hopping{}, 2
		begin := time.Now()
		r, err := h.Sample(10, c.repeats)
		whole := time.Since(begin)
		if err != nil {
			t.Fatal(err)
		}
		did := s.watched
		if got := append(did.restored, did.works); !slices.Equal(got, c.works) {
			t.Errorf("%+v: works at the restores and in all %v", c, got)
		}
		n := float64(did.works)
		for name, want := range map[string]float64{"tokens": 4 * n, "leg_bends": 6 / (4 * n), "operations_per_token": 2, "bytes_per_token": 5} {
			if got, ok := r.Value(name); !ok || got != want {
				t.Errorf("%+v: %s is %g, want %g", c, name, got, want)
			}
		}
		seconds, _ := r.Value("duration")
		if seconds < did.spent.Seconds() || seconds > (whole-did.paused).Seconds() {
			t.Errorf("%+v: %g s of the work's %v, in %v with %v of restores", c, seconds, did.spent, whole, did.paused)
		}
		series := r.Series("hops")
		if series == nil || len(series.Y) != did.works || len(series.X) != did.works || !slices.IsSorted(series.Y) {
			t.Errorf("%+v: series %+v of %d works", c, series, did.works)
		}
	}
}
