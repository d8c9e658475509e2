package experiments

import (
	"slices"
	"testing"
	"time"

	"workbench/experiments/workload"
)

func TestPlanPoints(t *testing.T) {
	costs := []cost{{64, time.Second}, {256, time.Second}, {512, 2 * time.Second}, {1024, 3 * time.Second}}
	all, fewer := []int{64, 256, 512, 1024}, []int{64, 256, 512}
	for _, c := range []struct {
		left time.Duration
		want []int
		why  string
	}{
		{0, all, "all without a limit"},
		{64 * time.Second, all, "8 blocks of 7 s and a second of starts"},
		{63 * time.Second, fewer, "the deepest point is left out"},
		{3 * time.Second, fewer, "three points are kept"},
	} {
		if points := planPoints(c.left, time.Second, costs, 8, true); !slices.Equal(points, c.want) {
			t.Errorf("%v: got %v, want %v (%s)", c.left, points, c.want, c.why)
		}
	}
	byChunk := []cost{{1, 4 * time.Second}, {16, 2 * time.Second}, {256, 3 * time.Second}, {1024, 1 * time.Second}}
	for left, want := range map[time.Duration][]int{
		80 * time.Second: {1, 16, 256, 1024},
		79 * time.Second: {1, 16, 1024},
		time.Second:      {1, 16, 1024},
	} {
		if points := planPoints(left, 0, byChunk, 8, false); !slices.Equal(points, want) {
			t.Errorf("%v: points %v, want %v: the ends stay", left, points, want)
		}
	}
	if len(costs) != 4 || costs[3].point != 1024 {
		t.Error("planning changed its input")
	}
}

func TestRepeatsFor(t *testing.T) {
	for _, c := range []struct {
		unit, sample time.Duration
		most, want   int
	}{
		{10 * time.Millisecond, 100 * time.Millisecond, 1000, 10},
		{11 * time.Millisecond, 100 * time.Millisecond, 1000, 10},
		{200 * time.Millisecond, 100 * time.Millisecond, 1000, 1},
		{10 * time.Millisecond, 100 * time.Millisecond, 4, 4},
		{0, 100 * time.Millisecond, 4, 4},
	} {
		if got := repeatsFor(c.unit, c.sample, c.most); got != c.want {
			t.Errorf("%+v: got %d", c, got)
		}
	}
}

// TestWindow: where a counter needs a window, samples are planned to exceed it,
// those of decoding by as much work as one depth has, again and again, and the
// plan knows what that takes.
func TestWindow(t *testing.T) {
	ms := time.Millisecond
	decode, prefill := &workload.Decode{Tokens: 16, Timing: workload.Timing{SampleMS: 100}}, &workload.Prefill{}
	p := &timedArm{units: map[int]time.Duration{64: 10 * ms, 4096: 10 * ms, 9: 0}}
	for _, c := range []struct {
		of      workload.Timed
		point   int
		window  time.Duration
		repeats int
		takes   time.Duration
	}{
		{decode, 4096, 0, 10, 100 * ms},
		{decode, 4096, 200 * ms, 25, 250 * ms},
		{decode, 64, 200 * ms, 2, 200 * ms}, // ten times
		{prefill, 64, 0, 10, 100 * ms},
		{prefill, 64, 200 * ms, 25, 250 * ms},
		{prefill, 9, 200 * ms, 1000, 200 * ms},
	} {
		g := &timedGroup{settings: c.of, sample: 100 * ms}
		x := &interleaved{runner: &runner{window: c.window}, timedGroup: g, timed: []*timedArm{p}}
		if got := x.repeat(p, c.point); got != c.repeats {
			t.Errorf("%+v: %d repeats", c, got)
		}
		if got := x.takes(p, c.point); got != c.takes {
			t.Errorf("%+v: takes %v", c, got)
		}
	}
}

func TestNextFits(t *testing.T) {
	// 1 s to depth 512: at most 4 s to 1024, and 4 s more to read it again.
	if nextFits(time.Second, 512, 1024, 6*time.Second) {
		t.Error("7 s fit into 6")
	}
	if !nextFits(time.Second, 512, 1024, 7*time.Second) || !nextFits(time.Hour, 512, 1024, 0) {
		t.Error("a depth that fits is refused")
	}
}

func TestShare(t *testing.T) {
	clock := time.Unix(0, 0)
	r := &runner{profile: profile{timing: 100 * time.Second}, now: func() time.Time { return clock }}
	for _, points := range []int{5, 3, 1, 1} {
		r.groups = append(r.groups, &timedGroup{points: make([]int, points)})
	}
	if got := r.share(); got != 50*time.Second {
		t.Errorf("a group with half of the points gets %v", got)
	}
	r.spent, r.groups = 50*time.Second, r.groups[1:]
	if got := r.share(); got != 30*time.Second {
		t.Errorf("3 of the 5 points left get %v", got)
	}
	r.spent = 40 * time.Second
	if got := r.share(); got != 36*time.Second {
		t.Errorf("what a group leaves over does not go to the others: %v", got)
	}
	c := &interleaved{runner: r, begun: clock, limit: r.share()}
	clock = clock.Add(12 * time.Second)
	if got := c.left(); got != 24*time.Second {
		t.Errorf("left is %v", got)
	}
	clock = clock.Add(time.Hour)
	if got := c.left(); got <= 0 {
		t.Errorf("left is %v: 0 would mean no limit", got)
	}
}

func TestPace(t *testing.T) {
	q := &workload.Quality{Steps: 10, Batch: 10, Context: 10, EvalEvery: 10}
	p := &Part{Name: "p", Measure: Measure{q}}
	a := job{p, arm{Label: "a", params: 1e6}, q, workload.Cell{}} // 6 GFLOP
	b := job{p, arm{Label: "b", params: 3e6}, q, workload.Cell{}} // 18
	var pace pace
	pace.plan(a)
	pace.plan(b)
	if got := pace.done(a, 0.5, time.Second); got != 7*time.Second {
		t.Errorf("3 GFLOP/s, 21 left: %v", got)
	}
	check := &workload.Check{Names: []string{workload.Streaming}}
	if got := pace.done(job{p, arm{Label: "c"}, check, workload.Cell{}}, 1, time.Second); got != 7*time.Second {
		t.Errorf("a job without operations to count changes the pace: %v", got)
	}
	if got := pace.done(a, 1, 2*time.Second); got != 6*time.Second {
		t.Errorf("3 GFLOP/s, 18 left: %v", got)
	}
}
