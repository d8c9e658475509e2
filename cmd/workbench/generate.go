package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"
	"unicode/utf8"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/arch/tokenizer"
)

var generateCommand = command{
	name:    "generate",
	short:   "Sample text from a model file, printed as it comes.",
	example: "workbench generate --model runs/book/model.safetensors --prompt \"The king\" --tokens 300 --temperature 0.8",
	setup: func(fs *flag.FlagSet) body {
		model := fs.String("model", "", "model `FILE`")
		vocabulary := fs.String("tokenizer", "", "`NAME`: bytes, chars, world or a vocabulary file (default: the one the model was trained with)")
		prompt := fs.String("prompt", "\n", "`TEXT` to go on from")
		n := fs.Int("tokens", 256, "`N` tokens to sample")
		set := fs.String("set", "", "what the file does not say of the model, `key=value,...` (heads=4)")
		var c choice
		fs.Float64Var(&c.temperature, "temperature", 1, "`T` that logits are divided by; 0 takes the likeliest token")
		fs.Float64Var(&c.topP, "top-p", 1, "sample among the likeliest tokens that make up this `SHARE`")
		fs.IntVar(&c.topK, "top-k", 0, "sample among the `N` likeliest tokens, 0: all")
		seed := fs.Uint64("seed", 1, "`SEED` of the samples")
		return func(args []string, out output) error {
			if err := noArgs(args); err != nil {
				return err
			}
			if *model == "" || *prompt == "" || *n < 0 {
				return usageError{errors.New("--model FILE and a --prompt that is not empty are needed, and --tokens of at least 0")}
			}
			if !(c.temperature >= 0) || !(c.topP > 0 && c.topP <= 1) || c.topK < 0 || math.IsInf(c.temperature, 0) {
				return usageError{errors.New("--temperature must be at least 0, --top-p above 0 and at most 1, --top-k at least 0")}
			}
			m, w, size, err := openWeights(*model, *set)
			if err != nil {
				return err
			}
			v, err := modelVocabulary(*model, *vocabulary, w, size)
			if err != nil {
				return err
			}
			ids, err := v.Encode(nil, []byte(*prompt))
			if err != nil {
				return fmt.Errorf("--prompt: %w", err)
			}
			if err := fits(m, size, ids); err != nil {
				return err
			}
			if limit := arch.Context(m); limit > 0 && len(ids)+*n > limit {
				return fmt.Errorf("a prompt of %d tokens and %d more exceed the model's %d positions: give --tokens %d", len(ids), *n, limit, max(0, limit-len(ids)))
			}
			c.random = rand.New(rand.NewPCG(*seed, 0))
			return generate(out, m, v, ids, *n, &c)
		}
	},
}

// generate prints the prompt and what the model goes on with.
func generate(out output, m arch.Model, v tokenizer.Tokenizer, prompt []int32, n int, c *choice) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	text := &utf8Writer{w: bufio.NewWriter(out.stdout)}
	text.write(tokenizer.Decode(v, prompt))
	s, g := m.NewState(1), nn.Inference()
	arch.Reserve(s, len(prompt)+n)
	next, begun := prompt, time.Now()
	made := 0
	for ; made < n && ctx.Err() == nil; made++ {
		g.Reset()
		h := m.Forward(g, nn.Tokens{IDs: next, B: 1, T: len(next)}, s)
		C := h.Dim(-1)
		logits := m.Logits(g, &nn.Tensor{Shape: []int{1, 1, C}, Data: h.Data[h.Len()-C:]})
		id, err := c.of(logits.Data[:min(len(logits.Data), v.Vocab())])
		if err != nil {
			return err
		}
		next = []int32{id}
		if err := text.write(v.Token(id)); err != nil {
			return err
		}
	}
	if err := text.close(); err != nil {
		return err
	}
	fmt.Fprintf(out.stderr, "%d tokens, %.0f tokens/s\n", made, float64(made)/max(time.Since(begun).Seconds(), 1e-9))
	return nil
}

// choice draws tokens.
type choice struct {
	temperature, topP float64
	topK              int
	random            *rand.Rand
	order             []int32
}

// of is a token drawn from softmax(logits/temperature), cut to the likeliest.
func (c *choice) of(logits []float32) (int32, error) {
	c.order = c.order[:0]
	for i, x := range logits {
		if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) {
			return 0, fmt.Errorf("the logit of token %d is %v: the weights overflow float32", i, v)
		}
		c.order = append(c.order, int32(i))
	}
	slices.SortFunc(c.order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(logits[b], logits[a]), cmp.Compare(a, b))
	})
	if c.temperature == 0 {
		return c.order[0], nil
	}
	order := c.order
	if c.topK > 0 {
		order = order[:min(c.topK, len(order))]
	}
	p, sum := make([]float64, len(order)), 0.0
	for i, id := range order {
		p[i] = math.Exp(float64(logits[id]-logits[order[0]]) / c.temperature)
		sum += p[i]
	}
	kept, last := 0.0, 0
	for last = range p {
		if kept += p[last]; kept >= c.topP*sum {
			break
		}
	}
	x := c.random.Float64() * kept
	for i, q := range p[:last] {
		if x -= q; x < 0 {
			return order[i], nil
		}
	}
	return order[last], nil
}

// utf8Writer holds back a character that is not complete yet.
type utf8Writer struct {
	w    *bufio.Writer
	held []byte
}

func (u *utf8Writer) write(b []byte) error {
	u.held = append(u.held, b...)
	n := len(u.held)
	for back := 1; back <= min(3, len(u.held)); back++ {
		if c := u.held[len(u.held)-back]; utf8.RuneStart(c) {
			if !utf8.FullRune(u.held[len(u.held)-back:]) {
				n = len(u.held) - back
			}
			break
		}
	}
	if _, err := u.w.Write(u.held[:n]); err != nil {
		return err
	}
	u.held = append(u.held[:0], u.held[n:]...)
	return u.w.Flush()
}

func (u *utf8Writer) close() error {
	if _, err := u.w.Write(append(u.held, '\n')); err != nil {
		return err
	}
	return u.w.Flush()
}
