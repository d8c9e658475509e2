// Package transformer holds the attention baselines. GPT-2: pre-LayerNorm
// blocks of causal multi-head attention with a key-value cache, and a GELU MLP.
// Llama: RMSNorm, rotary embeddings, grouped-query attention and SwiGLU.
package transformer

import (
	"fmt"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/kernels"
)

// Config is the configuration of a transformer.
// Source: Radford et al. 2019 (GPT-2); karpathy/nanoGPT model.py.
type Config struct {
	Dim        int    `json:"dim" doc:"channels C"`
	Layers     int    `json:"layers" doc:"blocks L"`
	Vocab      int    `json:"vocab" doc:"vocabulary V"`
	Heads      int    `json:"heads" doc:"attention heads H, a divisor of dim"`
	KVHeads    int    `json:"kv_heads" doc:"heads of keys and values, a divisor of heads; 0 means heads"`
	FFN        int    `json:"ffn" doc:"hidden channels of the MLP; 0 means 4·dim"`
	Context    int    `json:"context" doc:"longest sequence with learned positions"`
	Positions  string `json:"positions" values:"learned,rotary" doc:"a trained vector a position, or rotary angles without a limit"`
	Window     int    `json:"window" doc:"positions a query sees, its own among them; 0 means all before"`
	Cache      string `json:"cache" values:"f32,f16,bf16,none" doc:"the type of the keys and values of a state; none: the state is the text, which every call reads again"`
	Activation string `json:"activation" values:"gelu,gelu_tanh" doc:"exact GELU (nanoGPT) or the tanh approximation (GPT-2)"`
	Tied       bool   `json:"tied" doc:"the head is the embedding"`
	Bias       bool   `json:"bias" doc:"biases in linear layers and norms"`
}

// Default is the default configuration.
var Default = Config{Dim: 256, Layers: 6, Vocab: 256, Heads: 4, Context: 1024,
	Positions: "learned", Cache: "f32", Activation: "gelu", Tied: false, Bias: true}

func init() { arch.Register("transformer", Default, New) }

// Resolve replaces the values that stand for a rule.
func (c Config) Resolve() any {
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.FFN == 0 {
		c.FFN = 4 * c.Dim
	}
	return c
}

type model struct {
	Token    *nn.Tensor `w:"transformer.wte.weight,embed"` // [V,C]
	Position *nn.Tensor `w:"transformer.wpe.weight,embed"` // [context,C], nil with rotary positions
	Blocks   []*block   `w:"transformer.h"`
	LNF      norm       `w:"transformer.ln_f"`
	Head     *nn.Tensor `w:"lm_head.weight,embed"` // [V,C], nil when tied

	unembed *nn.Tensor
	cache   func(B int) *nn.KVCache // of a layer
}

type block struct {
	LN1  norm      `w:"ln_1"`
	Attn attention `w:"attn"`
	LN2  norm      `w:"ln_2"`
	MLP  mlp       `w:"mlp"`
}

type attention struct {
	QKV linear `w:"c_attn"` // [(H+2·HKV)·D,C]
	Out linear `w:"c_proj"` // [C,C]

	heads  nn.Heads
	rotate func(g *nn.Graph, qkv *nn.Tensor, h nn.Heads, pos int) *nn.Tensor
}

type mlp struct {
	In  linear `w:"c_fc"`   // [F,C]
	Out linear `w:"c_proj"` // [C,F]

	activation kernels.Activation
}

type linear struct {
	Weight *nn.Tensor `w:"weight"`
	Bias   *nn.Tensor `w:"bias"` // nil: none
}

func (l linear) forward(g *nn.Graph, x *nn.Tensor, then nn.Then) *nn.Tensor {
	then.Bias = l.Bias
	return nn.LinearThen(g, l.Weight, x, then)
}

type norm struct {
	Weight *nn.Tensor `w:"weight"`
	Bias   *nn.Tensor `w:"bias"` // nil: none
}

func (n norm) forward(g *nn.Graph, x *nn.Tensor) *nn.Tensor {
	return nn.LayerNorm(g, n.Weight, n.Bias, x)
}

type state struct {
	Layers []*nn.KVCache `s:""`
}

// Reserve implements the interface of arch.Reserve.
func (s *state) Reserve(positions int) {
	for _, l := range s.Layers {
		l.Reserve(positions)
	}
}

// caches returns what makes the caches of layers, of kvRow channels; nil
// without.
func caches(kvRow, window int, as string) func(B int) *nn.KVCache {
	if as == "none" {
		return nil
	}
	t, err := kernels.ParseDType(as)
	if err != nil {
		panic("transformer: " + err.Error())
	}
	return func(B int) *nn.KVCache { return nn.NewKVCache(B, kvRow, window, t) }
}

// NewState implements arch.Model.
func (m *model) NewState(B int) arch.State {
	s := &state{}
	for range m.Blocks {
		s.Layers = append(s.Layers, m.cache(B))
	}
	return s
}

// Context implements the interface of arch.Context.
func (m *model) Context() int {
	if m.Position == nil {
		return 0
	}
	return m.Position.Dim(0)
}

// Forward implements arch.Model.
func (m *model) Forward(g *nn.Graph, tok nn.Tokens, s arch.State) *nn.Tensor {
	return arch.InOrder(g, m, tok, s)
}

// Layers implements arch.Layered.
func (m *model) Layers() int { return len(m.Blocks) }

// Embed implements arch.Layered.
func (m *model) Embed(g *nn.Graph, tok nn.Tokens, s arch.State) *nn.Tensor {
	x := nn.Embedding(g, m.Token, tok)
	if m.Position != nil {
		_, pos := cacheOf(s, 0)
		nn.Positions(g, m.Position, x, pos)
	}
	return x
}

// Layer implements arch.Layered.
func (m *model) Layer(g *nn.Graph, i int, x *nn.Tensor, s arch.State) *nn.Tensor {
	b := m.Blocks[i]
	cache, pos := cacheOf(s, i)
	x = b.Attn.forward(g, x, b.LN1.forward(g, x), cache, pos)
	return b.MLP.forward(g, x, b.LN2.forward(g, x))
}

// Finish implements arch.Layered.
func (m *model) Finish(g *nn.Graph, x *nn.Tensor) *nn.Tensor { return m.LNF.forward(g, x) }

// cacheOf returns the cache of layer i and the number of positions in it; nil
// without a state.
func cacheOf(s arch.State, i int) (*nn.KVCache, int) {
	if s == nil {
		return nil, 0
	}
	cache := s.(*state).Layers[i]
	return cache, cache.Positions()
}

// Logits implements arch.Model.
func (m *model) Logits(g *nn.Graph, h *nn.Tensor) *nn.Tensor { return nn.Linear(g, m.unembed, h) }

// Vocab implements arch.Model.
func (m *model) Vocab() int { return m.unembed.Dim(0) }

// Channels implements arch.Model.
func (m *model) Channels() int { return m.unembed.Dim(1) }

// forward is residual + attention over x.
func (a *attention) forward(g *nn.Graph, residual, x *nn.Tensor, cache *nn.KVCache, pos int) *nn.Tensor {
	qkv := a.rotate(g, a.QKV.forward(g, x, nn.Then{}), a.heads, pos)
	return a.Out.forward(g, nn.Attention(g, qkv, a.heads, cache), nn.Then{Residual: residual})
}

// forward is residual + the MLP of x.
func (m *mlp) forward(g *nn.Graph, residual, x *nn.Tensor) *nn.Tensor {
	h := m.In.forward(g, x, nn.Then{F: m.activation})
	return m.Out.forward(g, h, nn.Then{Residual: residual})
}

// unrotated is the rotation of a model with learned positions: none.
func unrotated(_ *nn.Graph, qkv *nn.Tensor, _ nn.Heads, _ int) *nn.Tensor { return qkv }

func (c Config) check() error {
	if c.Dim < 1 || c.Layers < 1 || c.Vocab < 1 || c.Heads < 1 || c.Dim%c.Heads != 0 {
		return fmt.Errorf("dim %d, layers %d, vocab %d and heads %d must be at least 1 and heads divide dim", c.Dim, c.Layers, c.Vocab, c.Heads)
	}
	if c.KVHeads < 1 || c.Heads%c.KVHeads != 0 {
		return fmt.Errorf("kv_heads %d does not divide heads %d", c.KVHeads, c.Heads)
	}
	if c.Positions == "rotary" && c.Dim/c.Heads%2 != 0 {
		return fmt.Errorf("rotary positions need an even number of channels a head, not %d", c.Dim/c.Heads)
	}
	if c.Positions == "learned" && c.Context < 1 {
		return fmt.Errorf("learned positions need a context of at least 1")
	}
	return nil
}

// New builds a transformer with the initial weights of GPT-2: N(0, 0.02²),
// divided by √(2L) for the matrices that end a residual branch, and biases 0.
// Source: karpathy/nanoGPT model.py, _init_weights.
func New(c Config, seed uint64) (arch.Model, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	normal := func(name string, std float64, shape ...int) *nn.Tensor {
		return nn.Normal(nn.New(shape...), nn.Rand(seed, name), std)
	}
	const std = 0.02
	m := &model{
		Token: normal("wte", std, c.Vocab, c.Dim),
		LNF:   newNorm(c),
	}
	kvRow := c.KVHeads * (c.Dim / c.Heads)
	m.cache = caches(kvRow, c.Window, c.Cache)
	rotate := nn.RoPE
	if c.Positions == "learned" {
		m.Position = normal("wpe", std, c.Context, c.Dim)
		rotate = unrotated
	}
	activation := kernels.ActGELU
	if c.Activation == "gelu_tanh" {
		activation = kernels.ActGELUTanh
	}
	m.unembed = m.Token
	if !c.Tied {
		m.Head = normal("lm_head", std, c.Vocab, c.Dim)
		m.unembed = m.Head
	}
	residual := std / math.Sqrt(2*float64(c.Layers))
	for l := range c.Layers {
		layer := func(name string, std float64, out, in int) linear {
			w := linear{Weight: normal(fmt.Sprintf("h.%d.%s", l, name), std, out, in)}
			if c.Bias {
				w.Bias = nn.New(out)
			}
			return w
		}
		m.Blocks = append(m.Blocks, &block{
			LN1: newNorm(c),
			LN2: newNorm(c),
			Attn: attention{
				QKV:   layer("attn.c_attn", std, c.Dim+2*kvRow, c.Dim),
				Out:   layer("attn.c_proj", residual, c.Dim, c.Dim),
				heads: nn.Heads{H: c.Heads, KV: c.KVHeads, Window: c.Window}, rotate: rotate,
			},
			MLP: mlp{
				In:         layer("mlp.c_fc", std, c.FFN, c.Dim),
				Out:        layer("mlp.c_proj", residual, c.Dim, c.FFN),
				activation: activation,
			},
		})
	}
	if m.cache == nil {
		return &uncached{m}, nil
	}
	return m, nil
}

func newNorm(c Config) norm {
	n := norm{Weight: nn.New(c.Dim).Fill(1)}
	if c.Bias {
		n.Bias = nn.New(c.Dim)
	}
	return n
}
