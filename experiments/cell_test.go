package experiments

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/record"
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

var someText = []byte(strings.Repeat("func main() { fmt.Println(1, 2, 3) }\n", 40))

func TestServeDecode(t *testing.T) {
	d := &Decode{Depth: []int{4, 32}, Tokens: 3, Batch: 2}
	s := &spec{Arch: "transformer", Config: map[string]any{"dim": 8, "heads": 2, "layers": 3, "context": 64}, Phase: phaseDecode, Decode: d, Text: someText, Threads: 1}
	a := serve(t, request{Op: opStart, Spec: s},
		request{Op: opVisit, Point: 4}, request{Op: opVisit, Point: 32}, request{Op: opReady, Points: []int{4, 32}},
		request{Op: opSample, Point: 32, Repeats: 1}, request{Op: opSample, Point: 4, Repeats: 2}, request{Op: opSample, Point: 32, Repeats: 4})
	for i, want := range []struct{ depth, tokens, steps int }{{32, 6, 3}, {4, 12, 6}, {32, 24, 12}} {
		if a[4+i].Error != "" {
			t.Fatalf("sample %d: %s", i, a[4+i].Error)
		}
		r := a[4+i].Records[0]
		// Keys and values: 2 · positions · 8 channels · 3 layers · 2 sequences · 4 bytes.
		if bytes := int64(2 * want.depth * 8 * 3 * 2 * 4); *r.StateBytes != bytes {
			t.Errorf("sample %d: %d state bytes at depth %d, want %d", i, *r.StateBytes, want.depth, bytes)
		}
		var sum int64
		for _, ns := range r.LatencyNS {
			sum += ns
		}
		if r.Tokens != want.tokens || len(r.LatencyNS) != want.steps || r.Batch != 2 || sum > r.DurationNS {
			t.Errorf("sample %d is %+v", i, r)
		}
	}
}

// Weights that are read for timing lie in memory of their own: RWKV-4 starts
// with matrices of zeros, which the system keeps once, in one page.
func TestTimedWeights(t *testing.T) {
	for _, phase := range []string{phaseDecode, phasePrefill} {
		c := &cell{}
		s := &spec{Arch: "rwkv4", Config: map[string]any{"dim": 16, "layers": 2}, Phase: phase, Text: someText, Threads: 1,
			Decode: &Decode{Depth: []int{4}, Tokens: 3, Batch: 1}, Prefill: &Prefill{}}
		if _, err := c.start(s); err != nil {
			t.Fatal(err)
		}
		nn.Walk(c.model, func(p nn.Param) {
			if len(p.Tensor.Shape) > 1 && !slices.ContainsFunc(p.Tensor.Data, func(x float32) bool { return x != 0 }) {
				t.Errorf("%s: %s is all zeros", phase, p.Name)
			}
		})
	}
}

func TestServeErrors(t *testing.T) {
	d := &Decode{Depth: []int{100}, Tokens: 2, Batch: 1}
	small := map[string]any{"dim": 8, "heads": 2, "layers": 1, "context": 64}
	for name, c := range map[string]struct {
		requests []request
		want     string
	}{
		"no start":         {[]request{{Op: opVisit}}, `before "start"`},
		"unknown arch":     {[]request{{Op: opStart, Spec: &spec{Arch: "lisp"}}}, `unknown architecture "lisp"`},
		"unknown phase":    {[]request{{Op: opStart, Spec: &spec{Arch: "rnn", Phase: "sleep", Text: someText}}}, `unknown phase "sleep"`},
		"no text":          {[]request{{Op: opStart, Spec: &spec{Arch: "rnn", Phase: phaseDecode, Decode: d}}}, "no text"},
		"unknown op":       {[]request{{Op: opStart, Spec: &spec{Arch: "rnn", Config: small2, Phase: phaseCheck, Text: someText}}, {Op: "dance"}}, `unknown request "dance"`},
		"no points":        {[]request{{Op: opStart, Spec: &spec{Arch: "rnn", Config: small2, Phase: phaseCheck, Text: someText}}, {Op: opVisit}}, "has no points"},
		"beyond the model": {[]request{{Op: opStart, Spec: &spec{Arch: "transformer", Config: small, Phase: phaseDecode, Decode: d, Text: someText}}, {Op: opVisit, Point: 100}}, "exceed the model's limit of 64"},
		"not visited":      {[]request{{Op: opStart, Spec: &spec{Arch: "transformer", Config: small, Phase: phaseDecode, Decode: d, Text: someText}}, {Op: opSample, Point: 3}}, "not visited"},
	} {
		a := serve(t, c.requests...)
		if got := a[len(a)-1].Error; !strings.Contains(got, c.want) {
			t.Errorf("%s: error %q does not contain %q", name, got, c.want)
		}
	}
}

var small2 = map[string]any{"dim": 8, "layers": 1}

// TestDecodeContinues: what is timed at a depth is the model's function there,
// whatever was sampled before.
func TestDecodeContinues(t *testing.T) {
	m, _, err := arch.New("rwkv4", map[string]any{"dim": 16, "layers": 2}, 1)
	if err != nil {
		t.Fatal(err)
	}
	text := make([]int32, 200)
	for i := range text {
		text[i] = int32(someText[i])
	}
	d := newDecode(m, text, &Decode{Depth: []int{8, 40}, Tokens: 4, Batch: 1})
	if err := d.save([]int{8, 40}); err != nil {
		t.Fatal(err)
	}
	for _, depth := range []int{40, 8, 40} {
		d.restore(depth)
		if _, err := d.work(); err != nil {
			t.Fatal(err)
		}
	}
	want := m.NewState(1)
	m.Forward(nn.Inference(), nn.Tokens{IDs: text[:44], B: 1, T: 44}, want)
	compareStates(t, d.state, want)
}

func compareStates(t *testing.T, got, want arch.State) {
	t.Helper()
	slots := map[string][]float32{}
	nn.WalkState(want, func(name string, x *nn.Tensor) { slots[name] = x.Data })
	nn.WalkState(got, func(name string, x *nn.Tensor) {
		for i, v := range x.Data {
			if math.Abs(float64(v-slots[name][i])) > 1e-5*(1+math.Abs(float64(v))) {
				t.Fatalf("slot %s[%d] is %g, want %g", name, i, v, slots[name][i])
			}
		}
	})
}

func TestChecks(t *testing.T) {
	for name, got := range map[string]float64{"linear": linearDeviation(3), "scan": scanDeviation(3)} {
		if !(got > 0 && got < 1e-5) {
			t.Errorf("%s deviates by %g", name, got)
		}
	}
	for _, name := range arch.Names() {
		m, _, err := arch.New(name, small2, 1)
		if name == "transformer" {
			m, _, err = arch.New(name, map[string]any{"dim": 8, "layers": 1, "heads": 2}, 1)
		}
		if err != nil {
			t.Fatal(err)
		}
		got, err := modesDeviation(m, someText)
		if err != nil || !(got < 1e-4) {
			t.Errorf("%s: modes deviate by %g, %v", name, got, err)
		}
	}
}

// forgetful is a model whose state is not what it says.
type forgetful struct{ arch.Model }

func (f forgetful) Forward(g *nn.Graph, tok nn.Tokens, s arch.State) *nn.Tensor {
	return f.Model.Forward(g, tok, nil)
}

func TestModesSeesFault(t *testing.T) {
	m, _, err := arch.New("rnn", small2, 1)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := modesDeviation(forgetful{m}, someText); err != nil || got < 1e-3 {
		t.Errorf("a model without memory deviates by %g, %v", got, err)
	}
}

func TestDeviation(t *testing.T) {
	nan := float32(math.NaN())
	if got := deviation([]float32{1, 2}, []float32{1, 4}); got != 0.5 {
		t.Errorf("deviation is %g", got)
	}
	if got := deviation([]float32{nan, 2}, []float32{1, 2}); !math.IsInf(got, 1) {
		t.Errorf("a NaN deviates by %g", got)
	}
}

func TestPrefixes(t *testing.T) {
	var spans []span
	for i := range 7 {
		spans = append(spans, span{-0.1 * float64(i), math.Sin(float64(i)), 1, math.Cos(float64(3 * i))})
	}
	sum := spans[0]
	want := []span{sum}
	for _, s := range spans[1:] {
		sum = sum.then(s)
		want = append(want, sum)
	}
	prefixes(spans)
	for i := range spans {
		if math.Abs(spans[i].a/spans[i].b-want[i].a/want[i].b) > 1e-12 || math.Abs(spans[i].p+math.Log(spans[i].b)-want[i].p-math.Log(want[i].b)) > 1e-12 {
			t.Errorf("prefix %d is %+v, want %+v", i, spans[i], want[i])
		}
	}
}

func TestNetEnergy(t *testing.T) {
	joules, watts, sd := 10.0, 3.0, 0.5
	r := &runner{idle: []record.Energy{{Domain: "cpu", Tier: record.TierCounter, IdleW: &watts, IdleSDW: &sd}}}
	e := record.Energy{Domain: "cpu", Tier: record.TierCounter, Joules: &joules, WindowNS: 2e9, Reason: "no idle"}
	r.netEnergy(&e)
	if e.NetJ == nil || *e.NetJ != 4 || *e.IdleW != 3 || e.Reason != "" {
		t.Errorf("net energy is %+v", e)
	}
	estimate := record.Energy{Domain: "cpu", Tier: record.TierEstimated, Joules: &joules, WindowNS: 2e9}
	if r.netEnergy(&estimate); estimate.NetJ != nil {
		t.Error("an estimate got a net energy")
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
