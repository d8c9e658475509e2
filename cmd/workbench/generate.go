package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/arch/tokenizer"
	"workbench/experiments"
)

var generateCommand = command{
	name:  "generate",
	short: "Sample text from a model file, printed as it comes.",
	example: `workbench generate --model runs/book/model.safetensors --prompt "The king" --tokens 300 --temperature 0.8
workbench generate --model rwkv7.pth --prompt $'User: hi\n\nAssistant:' --state-out talk.state
workbench generate --model rwkv7.pth --prompt $'User: why?\n\nAssistant:' --state-in talk.state --state-out talk.state`,
	setup: func(fs *flag.FlagSet) body {
		var model modelFlags
		var j generation
		model.declare(fs, asFile)
		model.declareTokens(fs)
		prompt := fs.String("prompt", "", "`TEXT` to go on from; with --state-in none is needed (default: a line feed, or else the first token)")
		fs.IntVar(&j.n, "tokens", 256, "`N` tokens to sample")
		j.sampling.declare(fs)
		fs.Uint64Var(&j.seed, "seed", 1, "`SEED` of the samples; with --state-in they go on where they were, unless one is given")
		fs.IntVar(&j.batch, "batch", 0, "`N` samples side by side, printed one after the other (default 1, or as many as --state-in holds)")
		fs.BoolVar(&j.json, "json", false, "print a JSON line a sample")
		fs.BoolVar(&j.endless, "ignore-end", false, "go on after the tokens that end a text or a turn")
		fs.StringVar(&j.stateIn, "state-in", "", "`FILE` that --state-out wrote: go on from there")
		fs.StringVar(&j.stateOut, "state-out", "", "`FILE` for the state after the last token: another run goes on from there, to the bit")
		return func(args []string, out output) error {
			if err := noArgs(args); err != nil {
				return err
			}
			j.given = given(fs)
			if err := j.check(); err != nil {
				return usageError{err}
			}
			m, err := model.open()
			if err != nil {
				return err
			}
			defer m.close()
			v, err := model.tokens(m)
			if err != nil {
				return err
			}
			return j.run(out, m, v, *prompt)
		}
	},
}

// generation is what the flags say.
type generation struct {
	sampling
	n, batch      int
	seed          uint64
	json, endless bool
	stateIn       string
	stateOut      string
	given         func(flag string) bool // on the command line
}

func (j *generation) check() error {
	err := inRange("tokens", j.n, 0, most)
	if err == nil && j.given("batch") {
		err = inRange("batch", j.batch, 1, 1<<12)
	}
	if err == nil {
		err = j.sampling.check()
	}
	switch {
	case err != nil:
		return err
	case j.temperature == 0 && (j.topP < 1 || j.topK > 0):
		return errors.New("--temperature 0 takes the likeliest token, and --top-p or --top-k another: leave out one of them")
	case j.given("penalty-decay") && j.presence == 0 && j.frequency == 0 && j.stateOut == "":
		return errors.New("--penalty-decay does nothing without --presence-penalty or --frequency-penalty: leave it out")
	}
	return nil
}

// run reads the prompt and samples.
func (j *generation) run(out output, m *fileModel, v tokenizer.Tokenizer, prompt string) error {
	mem, err := j.begin(m)
	if err != nil {
		return err
	}
	switch {
	case j.given("prompt"):
	case j.stateIn != "":
		prompt = ""
	default:
		prompt = anyPrompt(m, v)
	}
	ids, err := v.Encode(nil, []byte(prompt))
	if err != nil {
		return fmt.Errorf("--prompt: %w", err)
	}
	begin, ends, err := m.marks(v)
	if err != nil {
		return err
	}
	switch {
	case mem.read > 0: // the text has begun
	case begin >= 0 && (len(ids) == 0 || ids[0] != begin):
		ids = append([]int32{begin}, ids...)
	case len(ids) == 0 && len(ends) == 0:
		return usageError{errors.New("give a --prompt that is not empty: this vocabulary has no token to begin a text with")}
	case len(ids) == 0:
		ids = ends[:1]
	}
	if err := m.fits(ids, mem.read); err != nil {
		return err
	}
	if limit, all := arch.Context(m.Model), mem.read+len(ids)+j.n; limit > 0 && all > limit {
		return fmt.Errorf("%d tokens read and %d more exceed the model's %d positions: give --tokens %d", mem.read+len(ids), j.n, limit, max(0, j.n-all+limit))
	}
	if err := m.fitsReading(max(mem.B, j.batch), mem.read+len(ids)+j.n, min(len(ids), pieceOfPrompt), 1, "fewer --tokens or a smaller --batch"); err != nil {
		return err
	}
	if j.endless {
		ends = nil
	}
	w := &writer{v: v, prompt: prompt, out: bufio.NewWriter(out.stdout), json: j.json}
	if err := j.sample(out, m, mem, ids, ends, w); err != nil || j.stateOut == "" {
		return err
	}
	if err := saveMemory(j.stateOut, m, mem); err != nil {
		return err
	}
	fmt.Fprintf(out.stderr, "the state after %d tokens, %d KiB, is in %s\n", mem.read, arch.StateBytes(mem.state)>>10, j.stateOut)
	return nil
}

// anyPrompt is the prompt where none is given: a line feed, or what else the
// vocabulary can write.
func anyPrompt(m *fileModel, v tokenizer.Tokenizer) string {
	holds := func(text string) bool {
		ids, err := v.Encode(nil, []byte(text))
		return err == nil && len(ids) > 0 && m.fits(ids, 0) == nil
	}
	for _, text := range []string{"\n", " "} {
		if holds(text) {
			return text
		}
	}
	for id := range min(m.Vocab(), v.Vocab()) {
		if text := string(v.Token(int32(id))); holds(text) {
			return text
		}
	}
	return ""
}

// begin is the memory to start from.
func (j *generation) begin(m *fileModel) (*memory, error) {
	if j.stateIn == "" {
		return newMemory(m.Model, 1, &j.sampling, j.seed), nil
	}
	mem, err := loadMemory(j.stateIn, m, &j.sampling)
	switch {
	case err != nil:
		return nil, err
	case mem.B > 1 && j.batch != 0 && j.batch != mem.B:
		return nil, usageError{fmt.Errorf("%s holds %d sequences, not %d: leave out --batch", j.stateIn, mem.B, j.batch)}
	}
	if j.given("seed") {
		for b, s := range mem.samplers {
			s.pcg.Seed(j.seed, uint64(b))
		}
	}
	return mem, nil
}

// sample reads the prompt and draws the tokens of all sequences, a token of
// each at a time.
func (j *generation) sample(out output, m *fileModel, mem *memory, prompt, ends []int32, w *writer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	arch.Reserve(mem.state, mem.read+len(prompt)+j.n)
	g := nn.Inference()
	if err := mem.see(ctx, g, m.Model, prompt, newProgress(out.stderr)); err != nil {
		return err
	}
	if mem.B == 1 && j.batch > 1 {
		*mem = *mem.spread(m.Model, j.batch, j.seed)
		arch.Reserve(mem.state, mem.read+j.n)
	}
	if err := w.begin(mem.B); err != nil {
		return err
	}
	p := newProgress(out.stderr)
	defer p.End()
	next, begun := nn.Tokens{IDs: make([]int32, mem.B), B: mem.B, T: 1}, time.Now()
	made, left := 0, mem.B
	for ; made < j.n && left > 0 && ctx.Err() == nil; made++ {
		logits := m.Logits(g, mem.hidden)
		V := logits.Dim(-1)
		for b, s := range mem.samplers {
			if w.ended[b] { // it goes on reading what ended it, until all have ended
				continue
			}
			id, err := s.next(logits.Data[b*V : b*V+min(V, w.v.Vocab())])
			if err != nil {
				return err
			}
			end := slices.Contains(ends, id)
			if next.IDs[b] = id; end {
				left--
			}
			if err := w.token(b, id, end); err != nil {
				return err
			}
		}
		if left > 0 && made+1 < j.n || j.stateOut != "" {
			mem.step(g, m.Model, next)
		}
		if mem.B > 1 || j.json {
			p.Count(1, j.n, "tokens")
		}
	}
	p.End()
	if err := w.end(); err != nil {
		return err
	}
	fmt.Fprintf(out.stderr, "%d tokens, %.0f tokens/s\n", made*mem.B, float64(made*mem.B)/max(time.Since(begun).Seconds(), 1e-9))
	return nil
}

// pieceOfPrompt is how many tokens of a prompt are read at a time.
const pieceOfPrompt = 512

// see reads the same tokens into every sequence.
func (mem *memory) see(ctx context.Context, g *nn.Graph, m arch.Model, ids []int32, p *experiments.Progress) error {
	defer p.End()
	for _, s := range mem.samplers {
		s.saw(ids...)
	}
	for at := 0; at < len(ids); at += pieceOfPrompt {
		if ctx.Err() != nil {
			return fmt.Errorf("interrupted after %d of the prompt's %d tokens", at, len(ids))
		}
		piece := ids[at:min(at+pieceOfPrompt, len(ids))]
		tok := nn.Tokens{B: mem.B, T: len(piece)}
		for range mem.B {
			tok.IDs = append(tok.IDs, piece...)
		}
		mem.step(g, m, tok)
		p.Count(len(piece), len(ids), "tokens of the prompt")
	}
	return nil
}

// step reads tokens [B,T].
func (mem *memory) step(g *nn.Graph, m arch.Model, tok nn.Tokens) {
	g.Reset()
	h := m.Forward(g, tok, mem.state)
	C := h.Dim(-1)
	if mem.hidden == nil {
		mem.hidden = nn.New(tok.B, 1, C)
	}
	for b := range tok.B {
		copy(mem.hidden.Data[b*C:(b+1)*C], h.Data[((b+1)*tok.T-1)*C:])
	}
	mem.read += tok.T
}

// writer prints samples: one alone as its tokens come, several one after the
// other.
type writer struct {
	v      tokenizer.Tokenizer
	out    *bufio.Writer
	prompt string
	json   bool
	one    *utf8Writer // nil: several, or JSON
	ids    [][]int32
	ended  []bool
}

func (w *writer) begin(B int) error {
	w.ids, w.ended = make([][]int32, B), make([]bool, B)
	if B > 1 || w.json {
		return nil
	}
	w.one = &utf8Writer{w: w.out}
	return w.one.write([]byte(w.prompt))
}

func (w *writer) token(b int, id int32, end bool) error {
	w.ids[b], w.ended[b] = append(w.ids[b], id), end
	if w.one == nil {
		return nil
	}
	return w.one.write(w.v.Token(id))
}

// sampleLine is what --json prints of a sample. Text that is not UTF-8 has
// U+FFFD in place of such bytes: the tokens are exact.
type sampleLine struct {
	Sample int     `json:"sample"`
	Prompt string  `json:"prompt"`
	Text   string  `json:"text"`
	Tokens []int32 `json:"tokens"`
	Ended  bool    `json:"ended"` // by the token that ends a text
}

func (w *writer) end() error {
	if w.one != nil {
		return w.one.close()
	}
	lines := json.NewEncoder(w.out)
	lines.SetEscapeHTML(false)
	for b, ids := range w.ids {
		text := string(tokenizer.Decode(w.v, ids))
		if w.json {
			line := sampleLine{b, w.prompt, strings.ToValidUTF8(text, "\ufffd"), append([]int32{}, ids...), w.ended[b]}
			if err := lines.Encode(line); err != nil {
				return err
			}
			continue
		}
		fmt.Fprintf(w.out, "=== sample %d of %d ===\n%s%s\n", b+1, len(w.ids), w.prompt, text)
	}
	return w.out.Flush()
}
