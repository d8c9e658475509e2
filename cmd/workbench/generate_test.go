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
	if want := score.Loss / math.Ln2 * 4 / 5; score.Tokens != 1184 || math.Abs(score.Bits-want) > 0.01*want {
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

func TestChoice(t *testing.T) {
	logits := []float32{0, float32(math.Log(2)), float32(math.Log(5)), -50}
	count := func(c choice) []int {
		c.random = rand.New(rand.NewPCG(1, 1))
		n := make([]int, len(logits))
		for range 8000 {
			id, err := c.of(logits)
			if err != nil {
				t.Fatal(err)
			}
			n[id]++
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
		choice
		want []int
	}{
		{choice{temperature: 1, topP: 1}, []int{1000, 2000, 5000, 0}},
		{choice{temperature: 0.5, topP: 1}, []int{267, 1067, 6667, 0}},
		{choice{temperature: 1, topP: 1, topK: 2}, []int{0, 2286, 5714, 0}},
		{choice{temperature: 0, topP: 1}, []int{0, 0, 8000, 0}},
	} {
		if got := count(c.choice); !near(got, c.want...) {
			t.Errorf("%+v: %v, want %v", c.choice, got, c.want)
		}
	}
	if got := count(choice{temperature: 1, topP: 0.6}); got[2]+got[1] != 8000 || got[0] > 0 {
		t.Errorf("top-p 0.6: %v", got)
	}
	c := choice{temperature: 1, topP: 1}
	if _, err := c.of([]float32{0, float32(math.NaN())}); err == nil || !strings.Contains(err.Error(), "overflow") {
		t.Errorf("NaN: %v", err)
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
