package main

import (
	"fmt"
	"strings"
)

// support says what there is of an architecture, beside its settings.
type support struct {
	Modes    string `json:"modes"`    // how a text is read
	State    string `json:"state"`    // what is kept of it, a layer and sequence; C channels, heads of N
	Files    string `json:"files"`    // the model files that are read
	Training string `json:"training"` // what its gradients are held against
	Source   string `json:"source"`
}

const (
	anyMode  = "at once, in chunks, by token"
	official = "gradients and 20 steps of the official code"
	torch    = "gradients and 20 steps of PyTorch"
	rwkvOwn  = ".pth and safetensors under official or Hugging Face names"
)

// supported holds a row for every architecture: `list` prints it, and the
// README's table is its markdown.
var supported = map[string]support{
	"rwkv4":       {anyMode, "5·C", rwkvOwn + ", rwkv.cpp", official, "Peng et al., arXiv 2305.13048; BlinkDL/RWKV-LM RWKV-v4"},
	"rwkv5":       {anyMode, "(2+N)·C", rwkvOwn + ", rwkv.cpp", official, "Peng et al., arXiv 2404.05892 (Eagle); RWKV-v5, 5.0 to 5.2"},
	"rwkv6":       {anyMode, "(2+N)·C", rwkvOwn + ", rwkv.cpp, GGUF", official, "Peng et al., arXiv 2404.05892 (Finch); RWKV-v5, x060"},
	"rwkv7":       {anyMode, "(2+N)·C", rwkvOwn + ", fla's, rwkv.cpp, GGUF", official, "Peng et al., arXiv 2503.14456 (Goose); RWKV-v7, x070"},
	"transformer": {anyMode, "2·N·kv_heads a token", ".pth of nanoGPT, safetensors of Hugging Face's GPT-2, GGUF", "gradients and 20 steps of nanoGPT", "Radford et al. 2019 (GPT-2); karpathy/nanoGPT"},
	"llama":       {anyMode, "2·N·kv_heads a token", ".pth and safetensors under Hugging Face's names, GGUF", "gradients and 20 steps of llama2.c", "Touvron et al., arXiv 2302.13971; karpathy/llama2.c"},
	"rnn":         {anyMode, "C", ".pth and safetensors under torch.nn.RNN's names", torch, "Elman 1990; torch.nn.RNN"},
	"lstm":        {anyMode, "2·C", ".pth and safetensors under torch.nn.LSTM's names", torch, "Hochreiter and Schmidhuber 1997; torch.nn.LSTM"},
	"gru":         {anyMode, "C", ".pth and safetensors under torch.nn.GRU's names", torch, "Cho et al., arXiv 1406.1078; torch.nn.GRU"},
}

// archMarkdown is the README's table of the architectures of those names.
func archMarkdown(names []string) string {
	var b strings.Builder
	b.WriteString("| architecture | a text is read | state of a layer | model files | training checked against | source |\n|---|---|---|---|---|---|\n")
	for _, n := range names {
		s := supported[n]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", n, s.Modes, s.State, s.Files, s.Training, s.Source)
	}
	return b.String()
}
