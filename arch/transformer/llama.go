package transformer

import (
	"fmt"
	"math"

	"workbench/arch"
	"workbench/arch/nn"
)

// LlamaConfig is the configuration of a Llama-style transformer: pre-RMSNorm
// blocks of grouped-query attention with rotary embeddings, and a SwiGLU
// feed-forward layer; no biases.
// Source: Touvron et al. (2302.13971, 2307.09288), Jiang et al. (2310.06825);
// karpathy/llama2.c model.py; names of Hugging Face's LlamaForCausalLM.
type LlamaConfig struct {
	Dim       int     `json:"dim" doc:"channels C"`
	Layers    int     `json:"layers" doc:"blocks L"`
	Vocab     int     `json:"vocab" doc:"vocabulary V"`
	Heads     int     `json:"heads" doc:"query heads H"`
	KVHeads   int     `json:"kv_heads" doc:"heads of keys and values, a divisor of heads; 0 means heads"`
	HeadSize  int     `json:"head_size" doc:"channels a head, even; 0 means dim/heads"`
	FFN       int     `json:"ffn" doc:"hidden channels of the feed-forward layer; 0 means 8/3·dim, rounded up to a multiple of 32"`
	Rope      string  `json:"rope" values:"half,interleaved" doc:"pairs of channels that turn together: i and i+head_size/2 (Hugging Face) or neighbours (Meta, llama2.c)"`
	RopeTheta float64 `json:"rope_theta" doc:"base of the rotary angles"`
	NormEps   float64 `json:"norm_eps" doc:"added to the mean square in RMSNorm"`
	Window    int     `json:"window" doc:"positions a query sees, its own among them; 0 means all before"`
	Cache     string  `json:"cache" values:"f32,f16,bf16,none" doc:"the type of the keys and values of a state; none: the state is the text, which every call reads again"`
	Tied      bool    `json:"tied" doc:"the head is the embedding"`
}

// LlamaDefault is the default configuration.
var LlamaDefault = LlamaConfig{Dim: 256, Layers: 6, Vocab: 256, Heads: 4, KVHeads: 2,
	Rope: "half", RopeTheta: 10000, NormEps: 1e-5, Cache: "f32"}

func init() { arch.Register("llama", LlamaDefault, NewLlama) }

// Resolve replaces the values that stand for a rule.
func (c LlamaConfig) Resolve() any {
	if c.KVHeads == 0 {
		c.KVHeads = c.Heads
	}
	if c.HeadSize == 0 && c.Heads > 0 && c.Dim%c.Heads == 0 {
		c.HeadSize = c.Dim / c.Heads
	}
	if c.FFN == 0 {
		c.FFN = (8*c.Dim/3 + 31) / 32 * 32
	}
	return c
}

type llama struct {
	Model llamaBody  `w:"model"`
	Head  *nn.Tensor `w:"lm_head.weight,embed"` // [V,C], nil when tied

	unembed *nn.Tensor
	eps     float32
	cache   func(B int) *nn.KVCache // of a layer
}

type llamaBody struct {
	Token  *nn.Tensor    `w:"embed_tokens.weight,embed"` // [V,C]
	Blocks []*llamaBlock `w:"layers"`
	Norm   *nn.Tensor    `w:"norm.weight"` // [C]
}

type llamaBlock struct {
	Norm1 *nn.Tensor     `w:"input_layernorm.weight"` // [C]
	Attn  llamaAttention `w:"self_attn"`
	Norm2 *nn.Tensor     `w:"post_attention_layernorm.weight"` // [C]
	MLP   swiGLU         `w:"mlp"`
}

type llamaAttention struct {
	Q   *nn.Tensor `w:"q_proj.weight"` // [H·D,C]
	K   *nn.Tensor `w:"k_proj.weight"` // [HKV·D,C]
	V   *nn.Tensor `w:"v_proj.weight"` // [HKV·D,C]
	Out *nn.Tensor `w:"o_proj.weight"` // [C,H·D]

	heads  nn.Heads
	rotary nn.Rotation
}

type swiGLU struct {
	Gate *nn.Tensor `w:"gate_proj.weight"` // [F,C]
	Up   *nn.Tensor `w:"up_proj.weight"`   // [F,C]
	Down *nn.Tensor `w:"down_proj.weight"` // [C,F]
}

// NewState implements arch.Model.
func (m *llama) NewState(B int) arch.State {
	s := &state{}
	for range m.Model.Blocks {
		s.Layers = append(s.Layers, m.cache(B))
	}
	return s
}

// Forward implements arch.Model.
func (m *llama) Forward(g *nn.Graph, tok nn.Tokens, s arch.State) *nn.Tensor {
	return arch.InOrder(g, m, tok, s)
}

// Layers implements arch.Layered.
func (m *llama) Layers() int { return len(m.Model.Blocks) }

// Embed implements arch.Layered.
func (m *llama) Embed(g *nn.Graph, tok nn.Tokens, _ arch.State) *nn.Tensor {
	return nn.Embedding(g, m.Model.Token, tok)
}

// Layer implements arch.Layered.
func (m *llama) Layer(g *nn.Graph, i int, x *nn.Tensor, s arch.State) *nn.Tensor {
	b := m.Model.Blocks[i]
	cache, pos := cacheOf(s, i)
	x = b.Attn.forward(g, x, nn.RMSNorm(g, b.Norm1, x, m.eps), cache, pos)
	return b.MLP.forward(g, x, nn.RMSNorm(g, b.Norm2, x, m.eps))
}

// Finish implements arch.Layered.
func (m *llama) Finish(g *nn.Graph, x *nn.Tensor) *nn.Tensor {
	return nn.RMSNorm(g, m.Model.Norm, x, m.eps)
}

// Logits implements arch.Model.
func (m *llama) Logits(g *nn.Graph, h *nn.Tensor) *nn.Tensor { return nn.Linear(g, m.unembed, h) }

// Vocab implements arch.Model.
func (m *llama) Vocab() int { return m.unembed.Dim(0) }

// Channels implements arch.Model.
func (m *llama) Channels() int { return m.unembed.Dim(1) }

// forward is residual + attention over x.
func (a *llamaAttention) forward(g *nn.Graph, residual, x *nn.Tensor, cache *nn.KVCache, pos int) *nn.Tensor {
	p := nn.Linears(g, nn.Product{W: a.Q, X: x}, nn.Product{W: a.K, X: x}, nn.Product{W: a.V, X: x})
	q := nn.Rotate(g, p[0], a.heads.H, pos, a.rotary)
	k := nn.Rotate(g, p[1], a.heads.KV, pos, a.rotary)
	y := nn.GroupedAttention(g, q, k, p[2], a.heads, cache)
	return nn.LinearThen(g, a.Out, y, nn.Then{Residual: residual})
}

// forward is residual + the feed-forward layer of x.
func (m *swiGLU) forward(g *nn.Graph, residual, x *nn.Tensor) *nn.Tensor {
	p := nn.Linears(g, nn.Product{W: m.Gate, X: x}, nn.Product{W: m.Up, X: x})
	return nn.LinearThen(g, m.Down, nn.SwiGLU(g, p[0], p[1]), nn.Then{Residual: residual})
}

func (c LlamaConfig) check() error {
	switch {
	case c.Dim < 1 || c.Layers < 1 || c.Vocab < 1 || c.Heads < 1 || c.FFN < 1:
		return fmt.Errorf("dim %d, layers %d, vocab %d, heads %d and ffn %d must be at least 1", c.Dim, c.Layers, c.Vocab, c.Heads, c.FFN)
	case c.HeadSize < 1:
		return fmt.Errorf("%d heads do not divide dim %d: set head_size", c.Heads, c.Dim)
	case c.HeadSize%2 != 0:
		return fmt.Errorf("rotary positions need an even number of channels a head, not %d", c.HeadSize)
	case c.Heads%c.KVHeads != 0:
		return fmt.Errorf("kv_heads %d does not divide heads %d", c.KVHeads, c.Heads)
	case !(c.RopeTheta > 0) || !(c.NormEps >= 0):
		return fmt.Errorf("rope_theta %v must be above 0 and norm_eps %v not below", c.RopeTheta, c.NormEps)
	}
	return nil
}

// NewLlama builds a Llama with the initial weights of GPT-2: N(0, 0.02²),
// divided by √(2L) for the matrices that end a residual branch, and norms 1.
// Source: karpathy/llama2.c model.py, _init_weights.
//
// Note: llama2.c divides w3, our up_proj, in place of w2, which ends the
// branch.
func NewLlama(c LlamaConfig, seed uint64) (arch.Model, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	const std = 0.02
	residual := std / math.Sqrt(2*float64(c.Layers))
	normal := func(name string, std float64, rows, cols int) *nn.Tensor {
		return nn.Normal(nn.New(rows, cols), nn.Rand(seed, name), std)
	}
	ones := func() *nn.Tensor { return nn.New(c.Dim).Fill(1) }
	q, kv := c.Heads*c.HeadSize, c.KVHeads*c.HeadSize
	m := &llama{eps: float32(c.NormEps), cache: caches(kv, c.Window, c.Cache)}
	m.Model.Token, m.Model.Norm = normal("embed_tokens", std, c.Vocab, c.Dim), ones()
	m.unembed = m.Model.Token
	if !c.Tied {
		m.Head = normal("lm_head", std, c.Vocab, c.Dim)
		m.unembed = m.Head
	}
	for l := range c.Layers {
		layer := func(name string, std float64, out, in int) *nn.Tensor {
			return normal(fmt.Sprintf("layers.%d.%s", l, name), std, out, in)
		}
		m.Model.Blocks = append(m.Model.Blocks, &llamaBlock{
			Norm1: ones(),
			Norm2: ones(),
			Attn: llamaAttention{
				Q:      layer("q_proj", std, q, c.Dim),
				K:      layer("k_proj", std, kv, c.Dim),
				V:      layer("v_proj", std, kv, c.Dim),
				Out:    layer("o_proj", residual, c.Dim, q),
				heads:  nn.Heads{H: c.Heads, KV: c.KVHeads, Window: c.Window},
				rotary: nn.Rotation{Theta: c.RopeTheta, Pairs: c.Rope == "interleaved"},
			},
			MLP: swiGLU{
				Gate: layer("gate_proj", std, c.FFN, c.Dim),
				Up:   layer("up_proj", std, c.FFN, c.Dim),
				Down: layer("down_proj", residual, c.Dim, c.FFN),
			},
		})
	}
	if m.cache == nil {
		return &uncached{m}, nil
	}
	return m, nil
}
