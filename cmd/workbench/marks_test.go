package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/archtest"
	"workbench/arch/checkpoint"
)

// TestMarksOfAText: generate reads the token that the files beside a model put
// before every text, and ends at any of those that they say end one.
func TestMarksOfAText(t *testing.T) {
	dir := t.TempDir()
	model := filepath.Join(dir, "model.safetensors")
	m, _, err := arch.New("llama", map[string]any{"dim": 32, "layers": 2, "heads": 2, "kv_heads": 1}, 1)
	if err != nil {
		t.Fatal(err)
	}
	archtest.Jitter(m, 3)
	if err := checkpoint.Save(model, m, nil); err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	generate := func(prompt string, args ...string) (line sampleLine) {
		t.Helper()
		out, _, err := call(append([]string{"generate", "--model", model, "--prompt", prompt, "--tokens", "6", "--temperature", "0", "--json"}, args...)...)
		if err == nil {
			err = json.Unmarshal([]byte(out), &line)
		}
		if err != nil {
			t.Fatal(err)
		}
		return line
	}
	const config = `{"num_attention_heads":2,"num_key_value_heads":1,"bos_token_id":120`
	write("config.json", config+"}")
	plain, begun := generate("ab").Tokens, generate("xab").Tokens
	if slices.Equal(plain, begun) {
		t.Fatal("the first token changes nothing: another seed is needed")
	}
	write("tokenizer_config.json", `{"add_bos_token":true}`)
	if got := generate("ab").Tokens; !slices.Equal(got, begun) {
		t.Errorf("with the token before every text: %v, want %v", got, begun)
	}
	if got := generate("xab").Tokens; !slices.Equal(got, begun) {
		t.Errorf("with a prompt that begins with it: %v, want %v", got, begun)
	}
	stop, _ := json.Marshal([]int32{255, begun[2]})
	write("config.json", config+`,"eos_token_id":`+string(stop)+"}")
	at := slices.Index(begun, begun[2])
	if got := generate("ab"); !got.Ended || len(got.Tokens) != at+1 {
		t.Errorf("with %s as ends: %+v, want the first %d of %v", stop, got, at+1, begun)
	}
	if got := generate("ab", "--ignore-end"); got.Ended || len(got.Tokens) != 6 {
		t.Errorf("with --ignore-end: %+v", got)
	}
	write("tokenizer_config.json", `{"add_eos_token":true}`)
	if _, _, err := call("generate", "--model", model, "--prompt", "ab"); err == nil || !strings.Contains(err.Error(), "add_eos_token is true") {
		t.Errorf("with a token behind every text: %v", err)
	}
}
