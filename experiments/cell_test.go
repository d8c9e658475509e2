package experiments

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"workbench/arch/nn"
	"workbench/experiments/record"
	"workbench/experiments/workload"
)

// serve runs requests through ServeCell.
func serve(t *testing.T, requests ...request) []reply {
	t.Helper()
	in, write := io.Pipe()
	read, out := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- ServeCell(in, out) }()
	replies := json.NewDecoder(read)
	var answers []reply
	for _, r := range requests {
		if err := json.NewEncoder(write).Encode(r); err != nil {
			t.Fatal(err)
		}
		for {
			var a reply
			if err := replies.Decode(&a); err != nil {
				t.Fatal(err)
			}
			if a.Progress == nil {
				answers = append(answers, a)
				break
			}
		}
	}
	write.Close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return answers
}

// someTokens are those of a text.
func someTokens() (ids []int32) {
	for _, b := range []byte(strings.Repeat("func main() { fmt.Println(1, 2, 3) }\n", 40)) {
		ids = append(ids, int32(b))
	}
	return ids
}

// specOf is a spec of an architecture in the workload of s, on some text.
func specOf(arch string, config map[string]any, s workload.Settings) *spec {
	out := newSpec(arm{Arch: arch, Config: config}, s)
	out.Tokens, out.Threads = someTokens(), 1
	return out
}

// number is a quantity of a record, which must have it.
func number(t *testing.T, r *record.Record, name string) float64 {
	t.Helper()
	x, ok := r.Value(name)
	if !ok {
		t.Errorf("no %s in %+v", name, r)
	}
	return x
}

func TestServeDecode(t *testing.T) {
	s := specOf("transformer", map[string]any{"dim": 8, "heads": 2, "layers": 3, "context": 64}, &workload.Decode{Depth: []int{4, 32}, Tokens: 3, Batch: 2})
	a := serve(t, request{Op: opStart, Spec: s},
		request{Op: opVisit, Point: 4}, request{Op: opVisit, Point: 32}, request{Op: opReady, Points: []int{4, 32}},
		request{Op: opSample, Point: 32, Repeats: 1}, request{Op: opSample, Point: 4, Repeats: 2}, request{Op: opSample, Point: 32, Repeats: 4})
	for i, want := range []struct{ depth, tokens, steps int }{{32, 6, 3}, {4, 12, 6}, {32, 24, 12}} {
		if a[4+i].Error != "" {
			t.Fatalf("sample %d: %s", i, a[4+i].Error)
		}
		r := &a[4+i].Records[0]
		// Keys and values: 2 · positions · 8 channels · 3 layers · 2 sequences · 4 bytes.
		if bytes := float64(2 * want.depth * 8 * 3 * 2 * 4); number(t, r, "state_bytes") != bytes {
			t.Errorf("sample %d: %g state bytes at depth %d, want %g", i, number(t, r, "state_bytes"), want.depth, bytes)
		}
		latency, sum := r.Series("latency"), 0.0
		if latency == nil {
			t.Fatalf("sample %d has no latencies: %+v", i, r)
		}
		for _, seconds := range latency.Y {
			sum += seconds
		}
		batch, _ := r.Key("batch")
		depth, _ := r.Key("depth")
		if int(number(t, r, "tokens")) != want.tokens || len(latency.Y) != want.steps || batch != 2 || int(depth) != want.depth || sum > number(t, r, "duration") {
			t.Errorf("sample %d is %+v", i, r)
		}
	}
}

// Weights that are read for timing lie in memory of their own: RWKV-4 starts
// with matrices of zeros, which the system keeps once, in one page.
func TestTimedWeights(t *testing.T) {
	for _, settings := range []workload.Settings{&workload.Decode{Depth: []int{4}, Tokens: 3, Batch: 1}, &workload.Prefill{Batch: 1}} {
		c := &cell{}
		if _, err := c.start(specOf("rwkv4", map[string]any{"dim": 16, "layers": 2}, settings)); err != nil {
			t.Fatal(err)
		}
		nn.Walk(c.env.Model, func(p nn.Param) {
			if len(p.Tensor.Shape) > 1 && !slices.ContainsFunc(p.Tensor.Data, func(x float32) bool { return x != 0 }) {
				t.Errorf("%s: %s is all zeros", c.workload.Name, p.Name)
			}
		})
	}
}

func TestServeErrors(t *testing.T) {
	tiny := map[string]any{"dim": 8, "layers": 1}
	small := map[string]any{"dim": 8, "heads": 2, "layers": 1, "context": 64}
	check := specOf("rnn", tiny, &workload.Check{Names: []string{"modes"}})
	decode := specOf("transformer", small, &workload.Decode{Depth: []int{100}, Tokens: 2, Batch: 1})
	with := func(s *spec, change func(s *spec)) request {
		other := *s
		change(&other)
		return request{Op: opStart, Spec: &other}
	}
	for name, c := range map[string]struct {
		requests []request
		want     string
	}{
		"no start":         {[]request{{Op: opVisit}}, `before "start"`},
		"unknown arch":     {[]request{with(check, func(s *spec) { s.Arch = "lisp" })}, `unknown architecture "lisp"`},
		"unknown workload": {[]request{with(check, func(s *spec) { s.Workload = "sleep" })}, `unknown workload "sleep"`},
		"no text":          {[]request{with(decode, func(s *spec) { s.Tokens = nil })}, "no text"},
		"other settings":   {[]request{with(decode, func(s *spec) { s.Settings = json.RawMessage(`{"Depth": "deep"}`) })}, "settings of decode"},
		"unknown op":       {[]request{{Op: opStart, Spec: check}, {Op: "dance"}}, `unknown request "dance"`},
		"no points":        {[]request{{Op: opStart, Spec: check}, {Op: opVisit}}, "has no points"},
		"points":           {[]request{{Op: opStart, Spec: decode}, {Op: opRun}}, "is measured by points"},
		"beyond the model": {[]request{{Op: opStart, Spec: decode}, {Op: opVisit, Point: 100}}, "exceed the model's limit of 64"},
		"not visited":      {[]request{{Op: opStart, Spec: decode}, {Op: opSample, Point: 3}}, "not visited"},
	} {
		a := serve(t, c.requests...)
		if got := a[len(a)-1].Error; !strings.Contains(got, c.want) {
			t.Errorf("%s: error %q does not contain %q", name, got, c.want)
		}
	}
}

// TestNetEnergy: a record with measured energy is kept with what is left
// without the idle power that the run measured.
func TestNetEnergy(t *testing.T) {
	watts, sd := 3.0, 0.5
	r := &runner{now: time.Now, have: map[string]bool{}, idle: []record.Energy{{Domain: "cpu", Tier: record.TierCounter, IdleW: &watts, IdleSDW: &sd}}}
	var kept *record.Record
	appendRecord = func(_ string, r *record.Record) error { kept = r; return nil }
	defer func() { appendRecord = record.Append }()
	timed := func(name string, x float64) record.Value {
		return record.Quantity{Name: name, Kind: record.Timed}.Of(x)
	}
	rec := record.Record{Values: []record.Value{timed("joules_per_token", 5), timed("joules", 10), timed("energy_window", 2)}}
	if err := r.keep(rec, &Part{}, arm{}, "decode", "x"); err != nil {
		t.Fatal(err)
	}
	if got := number(t, kept, "net_joules_per_token"); got != 2 { // 3 W for 2 s are 6 of 10 J
		t.Errorf("net energy is %g", got)
	}
}

func TestTail(t *testing.T) {
	for text, want := range map[string]string{
		"":           "",
		"one\ntwo\n": "two",
		"noise\npanic: kernels: shape\n\ngoroutine 1 [running]:\nmain.main()\n": "panic: kernels: shape",
		"fatal error: out of memory\n" + strings.Repeat("x\n", 9000):            "fatal error: out of memory",
		strings.Repeat("y\n", 9000) + "panic: late\nexit status 2\n":            "panic: late",
	} {
		var tl tail
		io.Copy(&tl, bytes.NewReader([]byte(text)))
		if got := tl.reason(); got != want {
			t.Errorf("reason is %q, want %q", got, want)
		}
	}
}
