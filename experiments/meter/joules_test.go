package meter

import (
	"math"
	"strings"
	"testing"
	"time"

	"workbench/experiments/record"
)

// sampleOf returns a record of that many tokens in busy of the fake's time, and
// whether the counters had enough time.
func sampleOf(f *fake, e *Energy, tokens int, busy time.Duration) (*record.Record, bool) {
	m := &joules{energy: e}
	m.Begin()
	f.work(busy)
	enough := m.Enough()
	r := &record.Record{Keys: map[string]any{}}
	m.End(Work{Tokens: tokens, Duration: busy, CPU: busy}).add(r)
	return r, enough
}

func wantValue(t *testing.T, r *record.Record, name string, want float64) {
	t.Helper()
	if got, ok := r.Value(name); !ok || math.Abs(got-want) > 1e-5 {
		t.Errorf("%s is %g, %v, want %g", name, got, ok, want)
	}
}

// TestJoules checks that the energy of a token comes from the total, that the
// work gets its share of the window by time, and that single domains are listed
// beside it.
func TestJoules(t *testing.T) {
	f := newFake(t).zone("intel-rapl:0", "package-0", 0, big, 50, 10).zone("intel-rapl:0:0", "core", 0, big, 30, 1)
	e := f.open()
	r, enough := sampleOf(f, e, 20, 2*time.Second)
	if !enough {
		t.Error("two seconds are not enough")
	}
	wantValue(t, r, "joules_per_token", 5)
	wantValue(t, r, "joules", 100)
	wantValue(t, r, "energy_window", 2)
	wantValue(t, r, "joules:package-0/core/2", 60)
	if v := r.Find("joules_per_token_estimated"); v == nil || v.Kind != record.Estimated || v.Reason == "" {
		t.Errorf("the estimate is %+v", v)
	}
	if _, enough := sampleOf(f, e, 20, enoughLess); enough {
		t.Errorf("%v are enough", enoughLess)
	}

	m := &joules{energy: e}
	m.Begin()
	f.work(3 * time.Second) // a third of it is not the work
	r = &record.Record{}
	m.End(Work{Tokens: 10, Duration: 2 * time.Second}).add(r)
	wantValue(t, r, "joules_per_token", 10)

	r, enough = sampleOf(newFake(t), newFake(t).open(), 1, time.Millisecond)
	if v := r.Find("joules_per_token"); !enough || v == nil || v.Value != nil || !strings.Contains(v.Reason, "no RAPL counters") {
		t.Errorf("without a counter: %+v, enough %v", v, enough)
	}
}

// enoughLess is a window that is just too short.
const enoughLess = enough - time.Millisecond

// TestTakeIdle checks that the net energy of a token is its energy less the
// idle power of the same total, and that it is n/a with the reason where the
// idle power is unknown or higher.
func TestTakeIdle(t *testing.T) {
	sample := func() *record.Record { // 10 J in 2 s, half of them of the 5 tokens
		return &record.Record{Values: []record.Value{joulesPerToken.Of(1), windowJoules.Of(10), windowSeconds.Of(2)}}
	}
	idle := func(w float64, tier string) []record.Energy {
		return []record.Energy{{Domain: "package-0", Tier: record.TierCounter}, {Domain: DomainTotal, Tier: tier, Total: true, IdleW: &w}}
	}
	r := sample()
	TakeIdle(r, idle(3, record.TierCounter))
	wantValue(t, r, "net_joules_per_token", 0.4)
	for reason, sources := range map[string][]record.Energy{
		"not measured": nil, "above that of the work": idle(6, record.TierCounter), "was not measured": idle(3, record.TierEstimated),
	} {
		r := sample()
		TakeIdle(r, sources)
		if v := r.Find("net_joules_per_token"); v == nil || v.Value != nil || !strings.Contains(v.Reason, reason) {
			t.Errorf("%s: %+v", reason, v)
		}
	}
	estimated := &record.Record{Values: []record.Value{estimatedPerToken.Of(1)}}
	if TakeIdle(estimated, idle(3, record.TierCounter)); estimated.Find("net_joules_per_token") != nil {
		t.Error("an estimate got a net energy")
	}
}
