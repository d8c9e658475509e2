package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"workbench/arch/tokenizer"
)

// TestCharacters trains over characters of two texts, evaluates and samples:
// the model file says what its tokens are.
func TestCharacters(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.txt"), filepath.Join(dir, "b.txt")
	for path, text := range map[string]string{a: strings.Repeat("äbc ", 300), b: strings.Repeat("bé\n", 300)} {
		if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	out := filepath.Join(dir, "run")
	if _, _, err := call("train", "--arch", "rwkv4", "--set", "dim=16,layers=1", "--corpus", a, "--corpus", b, "--mix", "1,2", "--tokenizer", "chars",
		"--steps", "40", "--batch", "4", "--context", "16", "--context-from", "4", "--context-steps", "10", "--dropout", "0.05", "--recompute", "--lr", "0.02", "--out", out); err != nil {
		t.Fatal(err)
	}
	if _, stderr, err := call("train", "--arch", "rnn", "--set", "dim=16,layers=1", "--corpus", b, "--documents", `é\n`, "--steps", "5", "--batch", "4",
		"--context", "2", "--val-tokens", "100", "--out", out+"2"); err != nil {
		t.Fatal(err, stderr)
	}
	model := filepath.Join(out, modelFile)
	stdout, _, err := call("eval", "--model", model, "--corpus", a, "--context", "16")
	if err != nil {
		t.Fatal(err)
	}
	var score struct {
		Tokens int
		Loss   float64 `json:"loss_nats"`
		Bits   float64 `json:"bits_per_byte"`
	}
	if err := json.Unmarshal([]byte(stdout), &score); err != nil {
		t.Fatal(err)
	}
	// Of four characters one has two bytes.
	if want := score.Loss / math.Ln2 * 4 / 5; score.Tokens != 1199 || math.Abs(score.Bits-want) > 0.01*want {
		t.Errorf("%+v, want %.3f bits a byte", score, want)
	}
	sample := func(args ...string) string {
		stdout, _, err := call(append([]string{"generate", "--model", model, "--prompt", "äb", "--tokens", "30"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return stdout
	}
	one := sample("--seed", "4")
	if !strings.HasPrefix(one, "äb") || len([]rune(one)) != 33 || one != sample("--seed", "4") || one == sample("--seed", "5") {
		t.Errorf("sampled %q", one)
	}
	if got := sample("--temperature", "0"); got != sample("--top-k", "1", "--seed", "9") || got != sample("--top-p", "1e-9") {
		t.Errorf("the likeliest: %q", got)
	}
	for args, want := range map[string]string{
		"--prompt x":            `lacks "x"`,
		"--tokenizer bytes":     "another vocabulary",
		"--prompt=":             "not empty",
		"--temperature -1":      "--temperature",
		"--tokenizer /nonsense": "no such file",
	} {
		if _, _, err := call(append([]string{"generate", "--model", model, "--prompt", "b"}, strings.Fields(args)...)...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// sampleOf is a sampling that does nothing but what f says.
func sampleOf(f func(*sampling)) *sampling {
	s := &sampling{temperature: 1, topP: 1, repeat: 1, forget: 1}
	f(s)
	return s
}

// TestDefaultPrompt: without a --prompt the model gets one that it knows.
func TestDefaultPrompt(t *testing.T) {
	for alphabet, want := range map[string]string{"ab\n ": "\n", "ab ": " ", "ab": "a", "é": "é"} {
		dir := t.TempDir()
		text := filepath.Join(dir, "text")
		if err := os.WriteFile(text, []byte(strings.Repeat(alphabet, 40)), 0o666); err != nil {
			t.Fatal(err)
		}
		mustCall(t, append(tinyRunOn(text), "--tokenizer", "chars", "--out", dir+"/run")...)
		out, _ := mustCall(t, "generate", "--model", dir+"/run/"+modelFile, "--tokens", "1", "--json")
		var line sampleLine
		if err := json.Unmarshal([]byte(out), &line); err != nil || line.Prompt != want {
			t.Errorf("alphabet %q: prompt %q, %v; want %q", alphabet, line.Prompt, err, want)
		}
	}
	small, err := openModel(saveModel(t, t.TempDir(), "rnn", map[string]any{"dim": 8, "layers": 1, "vocab": 5}), "", "f32")
	if err != nil {
		t.Fatal(err)
	}
	if got := anyPrompt(small, tokenizer.Fit(tokenizer.Bytes(), 5)); got != "\x00" {
		t.Errorf("of five tokens: %q", got)
	}
}

func TestDraw(t *testing.T) {
	logits := []float32{0, float32(math.Log(2)), float32(math.Log(5)), -50}
	count := func(set *sampling) []int {
		s := newSampler(set, 1, 1)
		n := make([]int, len(logits))
		for range 8000 {
			n[s.draw(logits)]++
		}
		return n
	}
	near := func(got []int, want ...int) bool {
		for i := range want {
			if math.Abs(float64(got[i]-want[i])) > 200 || want[i] == 0 && got[i] > 0 {
				return false
			}
		}
		return true
	}
	for _, c := range []struct {
		set  func(*sampling)
		want []int
	}{
		{func(*sampling) {}, []int{1000, 2000, 5000, 0}},
		{func(s *sampling) { s.temperature = 0.5 }, []int{267, 1067, 6667, 0}},
		{func(s *sampling) { s.topK = 2 }, []int{0, 2286, 5714, 0}},
		{func(s *sampling) { s.topK, s.topP = 3, 0.7 }, []int{0, 2286, 5714, 0}},
		{func(s *sampling) { s.topK, s.topP = 3, 0.6 }, []int{0, 0, 8000, 0}},
		{func(s *sampling) { s.topP = 0.6 }, []int{0, 0, 8000, 0}},
		{func(s *sampling) { s.topP = 0.7 }, []int{0, 2286, 5714, 0}},
		{func(s *sampling) { s.topP = 0.9 }, []int{1000, 2000, 5000, 0}},
		{func(s *sampling) { s.temperature = 0 }, []int{0, 0, 8000, 0}},
		{func(s *sampling) { s.temperature = 1e-300 }, []int{0, 0, 8000, 0}},
	} {
		set := sampleOf(c.set)
		if got := count(set); !near(got, c.want...) {
			t.Errorf("%+v: %v, want %v", *set, got, c.want)
		}
	}
	if _, err := newSampler(sampleOf(func(*sampling) {}), 1, 1).next([]float32{0, float32(math.NaN())}); err == nil || !strings.Contains(err.Error(), "overflow") {
		t.Errorf("NaN: %v", err)
	}
}

// TestHugeLogits: numbers at the end of float32 are drawn from, or an error.
func TestHugeLogits(t *testing.T) {
	for _, repeat := range []float64{1, 0.01} {
		s := newSampler(sampleOf(func(s *sampling) { s.repeat, s.topP = repeat, 0.5 }), 1, 0)
		s.saw(0, 1)
		id, err := s.next([]float32{3e38, -3e38, 0})
		if repeat == 1 && (id != 0 || err != nil) || repeat < 1 && err == nil {
			t.Errorf("repeat %v: %d, %v", repeat, id, err)
		}
	}
}

// TestDrawIsSorting: the heap takes what sorting would.
func TestDrawIsSorting(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for n := 1; n < 200; n++ {
		logits, ids := make([]float32, n), make([]int32, n)
		for i := range logits {
			logits[i], ids[i] = float32(r.IntN(20)), int32(i)
		}
		h := likeliest{logits, slices.Clone(ids)}
		for i := n/2 - 1; i >= 0; i-- {
			h.down(i)
		}
		slices.SortStableFunc(ids, func(a, b int32) int { return int(logits[b] - logits[a]) })
		for _, want := range ids {
			if got := h.pop(); got != want {
				t.Fatalf("%d tokens: %d where %d belongs", n, got, want)
			}
		}
	}
}

// TestPenalties holds them against their definitions.
func TestPenalties(t *testing.T) {
	s := newSampler(sampleOf(func(s *sampling) { s.repeat, s.presence, s.frequency, s.forget, s.temperature = 2, 0.5, 0.25, 0.5, 0 }), 1, 0)
	s.saw(1, 3, 1)
	for i, c := range []struct{ logits, changed []float32 }{
		{[]float32{1, 4, -1, -3}, []float32{1, 2, -1, -6}},                 // 1 and 3 were read, nothing drawn: 1
		{[]float32{1.25, 4, -1, -3}, []float32{1.25, 1.25, -1, -6}},        // 1 drawn once, a tie: 0
		{[]float32{8, 0, -1, -3}, []float32{3.25, -0.625, -1, -6}},         // 1 drawn a step before: counts half; 0 drawn
		{[]float32{0, 0, -1, -3}, []float32{-0.875, -0.5625, -1, -6}},      // 0 twice, the first time counting half
		{[]float32{0, 0, 9, -3}, []float32{-0.6875, -0.78125, 9, -6}},      // 1 had been drawn again: 2
		{[]float32{0, 0, 9, -3}, []float32{-0.59375, -0.640625, 3.75, -6}}, // 2 was
	} {
		logits := slices.Clone(c.logits)
		if _, err := s.next(logits); err != nil || !slices.Equal(logits, c.changed) {
			t.Errorf("step %d: %v, %v, want %v", i, logits, err, c.changed)
		}
	}
}

// TestSamplingAllocates nothing once it is warm.
func TestSamplingAllocates(t *testing.T) {
	s := newSampler(sampleOf(func(s *sampling) { s.topP, s.repeat = 0.9, 1.1 }), 1, 0)
	logits := make([]float32, 300)
	step := func() {
		for i := range logits {
			logits[i] = float32(i % 7)
		}
		if _, err := s.next(logits); err != nil {
			t.Fatal(err)
		}
	}
	for range 3000 {
		step()
	}
	if n := testing.AllocsPerRun(100, step); n > 0 {
		t.Errorf("%v allocations a token", n)
	}
}

// TestUTF8Writer never lets part of a character out, whatever the tokens are.
func TestUTF8Writer(t *testing.T) {
	const text = "aäé𝄞\xff\xc3x"
	var got strings.Builder
	w := &utf8Writer{w: bufio.NewWriter(&got)}
	var seen []string
	for i := range len(text) {
		if err := w.write([]byte{text[i]}); err != nil {
			t.Fatal(err)
		}
		seen = append(seen, got.String())
	}
	if err := w.close(); err != nil || got.String() != text+"\n" {
		t.Errorf("%q, %v", got.String(), err)
	}
	if want := []string{"a", "a", "aä", "aä", "aäé", "aäé", "aäé", "aäé", "aäé𝄞"}; !slices.Equal(seen[:9], want) {
		t.Errorf("%q", seen)
	}
}

// TestVerifyTokenizer: right tokens pass, others fail, and so does a case
// whose vocabulary is not there.
func TestVerifyTokenizer(t *testing.T) {
	dir, data := t.TempDir(), t.TempDir()
	var vocabulary strings.Builder
	for i := range 256 {
		fmt.Fprintf(&vocabulary, "%d b'\\x%02x' 1\n", i+1, i)
	}
	vocabulary.WriteString("257 'ab' 2\n")
	text := vocabulary.String()
	if err := os.WriteFile(filepath.Join(data, "v.txt"), []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	verify := func(sum, ids, where string) error {
		c := fmt.Sprintf(`{"vocabulary":{"file":"v.txt","sha256":"%s","bytes":%d},"cases":[{"bytes_base64":"YWJh","ids":%s}]}`, sum, len(text), ids)
		if err := os.WriteFile(filepath.Join(dir, "cases.json"), []byte(c), 0o666); err != nil {
			t.Fatal(err)
		}
		_, _, err := call("verify", dir, "--data", where)
		return err
	}
	h := sha256.Sum256([]byte(text))
	sum := hex.EncodeToString(h[:])
	if err := verify(sum, "[257,98]", data); err != nil {
		t.Error(err)
	}
	if verify(sum, "[98,99,98]", data) == nil || verify(sum, "[257,98]", dir) == nil {
		t.Error("other tokens, or no vocabulary, pass")
	}
}

// BenchmarkDraw draws from World's vocabulary.
func BenchmarkDraw(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 2))
	logits := make([]float32, 65536)
	for i := range logits {
		logits[i] = float32(4 * r.NormFloat64())
	}
	for name, set := range map[string]func(*sampling){
		"greedy": func(s *sampling) { s.temperature = 0 }, "all": func(*sampling) {},
		"top-p": func(s *sampling) { s.topP = 0.9 }, "top-k": func(s *sampling) { s.topK = 40 },
	} {
		b.Run(name, func(b *testing.B) {
			s := newSampler(sampleOf(set), 1, 0)
			for b.Loop() {
				s.draw(logits)
			}
		})
	}
}
