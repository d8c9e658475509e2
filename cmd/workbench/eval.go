package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"syscall"

	"workbench/arch"
	"workbench/arch/tokenizer"
	"workbench/experiments/corpus"
	"workbench/experiments/train"
)

var evalCommand = command{
	name:    "eval",
	short:   "Print how well a model file predicts a text as JSON: loss, bits per byte, perplexity.",
	example: "workbench eval --model runs/book/model.safetensors --corpus book.txt --context 256",
	setup: func(fs *flag.FlagSet) body {
		var model modelFlags
		e := evaluation{part: 64 << 20}
		model.declare(fs, "f32")
		model.declareTokens(fs)
		fs.StringVar(&e.text, "corpus", corpus.Default, "`FILE`, folder or name of the text")
		fs.IntVar(&e.window, "context", 0, "`N` tokens a window; every window starts from nothing (default: those of the model's training, where its file tells, else 128)")
		fs.IntVar(&e.tokens, "tokens", 0, "about `N` tokens, in windows evenly over the text, 0: all of it")
		fs.IntVar(&e.batch, "batch", 16, "`N` windows at a time")
		end := fs.String("documents", "", "`TEXT` that ends a document (\\n\\n): each is read from its start (default: as the model was trained, where its file tells; empty: no documents)")
		return func(args []string, out output) error {
			if err := noArgs(args); err != nil {
				return err
			}
			least := 0 // what the model was trained with
			if given(fs)("context") {
				least = 1
			}
			if err := errors.Join(inRange("context", e.window, least, most), inRange("tokens", e.tokens, 0, most), inRange("batch", e.batch, 1, most)); err != nil {
				return usageError{err}
			}
			m, err := model.open()
			if err != nil {
				return err
			}
			defer m.close()
			if err := m.fitsReading(e.batch, 0, e.window, e.window, "a smaller --context or --batch"); err != nil {
				return err
			}
			v, err := model.tokens(m)
			if err != nil {
				return err
			}
			e.end, e.asked, e.anyText = corpus.Ending(unescape(*end)), given(fs)("documents"), !given(fs)("corpus")
			e.asTrained(m, out)
			return e.run(out, m, v)
		}
	},
}

// evaluation is what the flags say.
type evaluation struct {
	text                  string
	window, tokens, batch int
	end                   corpus.Ending // of a document, "": the text is one
	asked                 bool          // for end, by a flag
	anyText               bool          // none was asked for

	part int // bytes of a text in memory at a time
}

// asTrained takes what no flag says from the model's training.
func (e *evaluation) asTrained(m *fileModel, out output) {
	said := m.weights.Metadata
	if e.window == 0 {
		e.window = 128
		if n, err := strconv.Atoi(said[contextKey]); err == nil && n > 0 {
			e.window = n
		}
		if limit := arch.Context(m.Model); limit > 0 {
			e.window = min(e.window, limit)
		}
	}
	if end := said[documentsKey]; !e.asked && end != "" {
		e.end = corpus.Ending(end)
		fmt.Fprintf(out.stderr, "the model was trained by documents that end in %q, and is evaluated so: --documents '' reads windows\n", end)
	}
}

// run evaluates a text of any length. Interrupted, it prints the score of what
// was read.
func (e *evaluation) run(out output, m *fileModel, v tokenizer.Tokenizer) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if begin, _, err := m.marks(v); err != nil {
		return err
	} else if begin >= 0 {
		fmt.Fprintf(out.stderr, "windows are read without the token %d that this model has before every text\n", begin)
	}
	var sum corpus.Score
	var read reading
	p, scored, expected, left := newProgress(out.stderr), 0, 0, 1.0
	err := corpus.Parts(e.text, e.part, e.end, func(part *corpus.Text, share float64) error {
		docs, err := read.part(part, v, e.end)
		switch {
		case err != nil && e.anyText:
			return fmt.Errorf("the text that is read where none is named: %w: give a --corpus", err)
		case err != nil || docs == nil:
			return err
		case share == 1 && e.asked && e.end != "" && !read.ended:
			return e.endless()
		}
		all := 0
		for _, d := range docs {
			all += max(0, d.Len()-1)
		}
		most := all
		if e.tokens > 0 {
			if share == 0 {
				return usageError{fmt.Errorf("--tokens are taken evenly over a text, and how long %s is only its end tells: give a file", e.text)}
			}
			most = min(most, int(math.Ceil(float64(e.tokens)*share)))
		}
		if share > 0 {
			expected = scored + int(float64(most)*left/share) // what is left of the text, if it is as this part
		}
		left -= share
		score, err := train.EvaluateDocuments(m.Model, docs, e.batch, e.window, most, func(tokens int) bool {
			scored += tokens
			p.Count(tokens, expected, "tokens")
			return ctx.Err() == nil
		})
		sum = sum.Plus(score)
		if err == nil {
			err = ctx.Err()
		}
		return err
	})
	p.End()
	if interrupted := errors.Is(err, context.Canceled) && sum.Tokens > 0; err == nil || interrupted {
		return e.result(out, m, sum, read.ended, interrupted)
	}
	return err
}

// result prints the score of what was read; ended tells that a document has.
func (e *evaluation) result(out output, m *fileModel, sum corpus.Score, ended, interrupted bool) error {
	if sum.Tokens == 0 {
		return fmt.Errorf("corpus %s has no two tokens that follow each other: there is nothing to predict", e.text)
	}
	if loss := sum.Loss(); math.IsNaN(loss) || math.IsInf(loss, 0) {
		return fmt.Errorf("%s: the loss is %v: the weights overflow float32", m.path, loss)
	}
	if e.end != "" && !ended {
		if e.asked {
			return e.endless()
		}
		fmt.Fprintf(out.stderr, "%q, which ends a document, occurs nowhere in %s: it is read as one\n", string(e.end), e.text)
	}
	if err := printScore(out, sum); err != nil || !interrupted {
		return err
	}
	return fmt.Errorf("interrupted: the score is that of the first %d tokens", sum.Tokens)
}

// endless is the error of a text without the end that was asked for.
func (e *evaluation) endless() error {
	return fmt.Errorf("--documents: %q, which is to end a document, occurs nowhere in %s", string(e.end), e.text)
}

// reading is how far a text is read.
type reading struct {
	last  []int32 // the token before the next part, none at first
	ended bool    // a document has
}

// part gives a part's documents. A text that is one goes on from part to part:
// a part's first token is predicted by the last of the one before. What has no
// two tokens is nil.
func (r *reading) part(part *corpus.Text, v tokenizer.Tokenizer, end corpus.Ending) (docs []corpus.Tokens, err error) {
	if end.After(part.Data, 0) >= 0 {
		r.ended = true
		docs, err = part.Documents(v, end)
	} else {
		data, failed := part.Tokens(v)
		docs, err = []corpus.Tokens{data}, failed
	}
	if err != nil {
		return nil, err
	}
	if n := docs[0].Len(); end == "" && n > 0 {
		last := make([]int32, 1)
		docs[0].Read(n-1, last)
		for _, id := range r.last {
			docs[0] = docs[0].After(id)
		}
		r.last = last
	}
	if !slices.ContainsFunc(docs, func(d corpus.Tokens) bool { return d.Len() > 1 }) {
		return nil, nil
	}
	return docs, nil
}

func printScore(out output, s corpus.Score) error {
	return json.NewEncoder(out.stdout).Encode(struct {
		Tokens     int     `json:"tokens"`
		Loss       float64 `json:"loss_nats"`
		Bits       float64 `json:"bits_per_byte"`
		Perplexity float64 `json:"perplexity"`
	}{s.Tokens, s.Loss(), s.BPB(), min(math.Exp(s.Loss()), math.MaxFloat64)})
}
