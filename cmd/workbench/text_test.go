package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/tokenizer"
)

// worldFile writes a vocabulary in World's format: every byte, some more, and
// token 0, which ends a text.
func worldFile(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	for i := range 256 {
		fmt.Fprintf(&b, "%d b'\\x%02x' 1\n", i+1, i)
	}
	b.WriteString("257 'ab' 2\n258 'ä' 2\n")
	path := filepath.Join(dir, "world.txt")
	if err := os.WriteFile(path, []byte(b.String()), 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestGenerateText: how samples are printed, and what ends them.
func TestGenerateText(t *testing.T) {
	dir := t.TempDir()
	model, world := saveModel(t, dir, "rnn", map[string]any{"dim": 8, "layers": 1, "vocab": 259}), worldFile(t, dir)
	v, err := tokenizer.Read(world)
	if err != nil {
		t.Fatal(err)
	}
	generate := func(args ...string) string {
		t.Helper()
		out, _, err := call(append([]string{"generate", "--model", model, "--tokenizer", world, "--prompt", "äb"}, args...)...)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var lines []sampleLine
	for line := range strings.Lines(generate("--json", "--batch", "9", "--tokens", "300", "--temperature", "1.5")) {
		var s sampleLine
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, s)
	}
	ended := 0
	for _, s := range lines {
		end := slices.Index(s.Tokens, 0)
		if s.Ended {
			ended++
		}
		text := tokenizer.Decode(v, s.Tokens)
		if s.Prompt != "äb" || s.Text != strings.ToValidUTF8(string(text), "\ufffd") || s.Ended != (end >= 0) || s.Ended && end != len(s.Tokens)-1 || !s.Ended && len(s.Tokens) != 300 {
			t.Errorf("%+v", s)
		}
	}
	if ended == 0 || ended == len(lines) {
		t.Fatalf("%d of %d samples ended: take another seed", ended, len(lines))
	}
	if got := generate("--batch", "2", "--tokens", "3", "--temperature", "0"); strings.Count(got, "=== sample ") != 2 || !strings.HasPrefix(got, "=== sample 1 of 2 ===\näb") {
		t.Errorf("%q", got)
	}
	// one sample, printed as it comes, is the tokens' bytes, valid or not
	one := generate("--tokens", "60", "--seed", "2")
	var s sampleLine
	if err := json.Unmarshal([]byte(generate("--tokens", "60", "--seed", "2", "--json")), &s); err != nil || one != "äb"+string(tokenizer.Decode(v, s.Tokens))+"\n" {
		t.Errorf("%q and %+v: %v", one, s, err)
	}
	if !bytes.Contains([]byte(one), []byte{0xff}) && strings.ToValidUTF8(one, "") == one {
		t.Error("the sample is valid UTF-8: take another seed")
	}
	endless := generate("--ignore-end", "--json", "--batch", "9", "--tokens", "300", "--temperature", "1.5")
	for line := range strings.Lines(endless) {
		if err := json.Unmarshal([]byte(line), &s); err != nil || len(s.Tokens) != 300 || s.Ended {
			t.Errorf("an endless sample of %d tokens ended: %v", len(s.Tokens), s.Ended)
		}
	}
	// nothing to go on from: what ends a text begins one
	if out, _, err := call("generate", "--model", model, "--tokenizer", world, "--prompt=", "--tokens", "2", "--temperature", "0"); err != nil || len(out) < 2 {
		t.Errorf("%q %v", out, err)
	}
}

// TestDefaultVocabulary: what a model's tokens are, where nothing is said.
func TestDefaultVocabulary(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	of := func(vocab int) (tokenizer.Tokenizer, error) {
		m, err := openModel(saveModel(t, dir, "rnn", map[string]any{"dim": 1, "layers": 1, "vocab": vocab}), "", "f32")
		if err != nil {
			t.Fatal(err)
		}
		defer m.close()
		return modelVocabulary(m, "")
	}
	if v, err := of(256); err != nil || v.SHA256() != tokenizer.Bytes().SHA256() {
		t.Errorf("256: %v", err)
	}
	for vocab, want := range map[int]string{300: "give --tokenizer FILE", 50277: "20B_tokenizer.json", 50304: "20B_tokenizer.json", 65529: "the World vocabulary is not at", 65536: "https://github.com/BlinkDL/ChatRWKV"} {
		if _, err := of(vocab); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%d: %v, want %q", vocab, err, want)
		}
	}
	shared := filepath.Join("..", "..", "..", "shared", "data", "rwkv.cpp")
	for _, name := range []string{"20B_tokenizer.json", "rwkv_vocab_v20230424.txt"} {
		b, err := os.ReadFile(filepath.Join(shared, name))
		if err != nil {
			t.Skip("the vocabularies are not here")
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, vocab := range []int{50277, 50304, 65529, 65536} {
		if v, err := of(vocab); err != nil || v.Vocab() > vocab || v.Vocab() < 50277 {
			t.Errorf("%d: %v", vocab, err)
		}
	}
	if _, err := of(50000); err == nil || !strings.Contains(err.Error(), "knows 50000 tokens") {
		t.Errorf("a vocabulary that is too large: %v", err)
	}
}

// TestEveryArchitecture makes a small model of each, trains it for a moment,
// and holds its commands against each other.
func TestEveryArchitecture(t *testing.T) {
	dir := t.TempDir()
	text := filepath.Join(dir, "text")
	if err := os.WriteFile(text, []byte(strings.Repeat("the cat sat on the mat.\n", 40)), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, name := range arch.Names() {
		run := filepath.Join(dir, name)
		if _, stderr, err := call("train", "--arch", name, "--set", "dim=16,layers=2", "--corpus", text, "--steps", "3", "--batch", "2", "--context", "8", "--lr", "0.01", "--out", run); err != nil {
			t.Errorf("%s: %v\n%s", name, err, stderr)
			continue
		}
		model := filepath.Join(run, "model.safetensors")
		var whole [][]float64
		logits(t, &whole, "--model", model, "--tokens", "97,98,99,32,10,120,0", "--all")
		for _, chunk := range []string{"1", "3"} {
			var parts [][]float64
			logits(t, &parts, "--model", model, "--tokens", "97,98,99,32,10,120,0", "--all", "--chunk", chunk)
			if d := distance(whole, parts); !(d < 1e-4) {
				t.Errorf("%s: --chunk %s differs by %g", name, chunk, d)
			}
		}
		out, _, err := call("eval", "--model", model, "--corpus", text, "--context", "16", "--batch", "3")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var score struct {
			Tokens     int
			Loss       float64 `json:"loss_nats"`
			Bits       float64 `json:"bits_per_byte"`
			Perplexity float64
		}
		if err := json.Unmarshal([]byte(out), &score); err != nil || score.Tokens != 959 || score.Loss < 1 || score.Loss > 8 ||
			math.Abs(score.Bits-score.Loss/math.Ln2) > 1e-9 || math.Abs(score.Perplexity-math.Exp(score.Loss)) > 1e-6 {
			t.Errorf("%s: %s %v", name, out, err)
		}
	}
}

// TestEvalInParts: a text in parts has the score of its parts.
func TestEvalInParts(t *testing.T) {
	dir := t.TempDir()
	model, err := openModel(saveModel(t, dir, "rnn", map[string]any{"dim": 8, "layers": 1, "vocab": 256}), "", "f32")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "text")
	// Lines of a window and the token that follows it: parts cut between.
	if err := os.WriteFile(path, []byte(strings.Repeat("0123456789abcdef\n", 60)+"end"), 0o666); err != nil {
		t.Fatal(err)
	}
	score := func(part, tokens int) (s struct {
		Tokens int
		Loss   float64 `json:"loss_nats"`
	}) {
		var out, errs bytes.Buffer
		e := evaluation{text: path, window: 16, batch: 4, tokens: tokens, part: part}
		if err := e.run(output{&out, &errs}, model, tokenizer.Bytes()); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(out.Bytes(), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	whole, parts := score(1<<20, 0), score(17*4, 0)
	if whole.Tokens != 60*17+3-1 || parts.Tokens != whole.Tokens { // all but the first
		t.Errorf("%d tokens in one, %d in parts", whole.Tokens, parts.Tokens)
	}
	if line := score(17*4, 1); line.Tokens != 15*16+3 {
		t.Errorf("one window a part: %d tokens", line.Tokens)
	}
	if math.Abs(whole.Loss-parts.Loss) > 0.5 {
		t.Errorf("%g nats in one, %g in parts", whole.Loss, parts.Loss)
	}
}
