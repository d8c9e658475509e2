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
	"syscall"

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
		fs.StringVar(&e.text, "corpus", "go", "`FILE`, folder or name of the text")
		fs.IntVar(&e.window, "context", 128, "`N` tokens a window; every window starts from nothing")
		fs.IntVar(&e.tokens, "tokens", 0, "`N` tokens, in windows evenly over the text, 0: all of it")
		fs.IntVar(&e.batch, "batch", 16, "`N` windows at a time")
		return func(args []string, out output) error {
			if err := noArgs(args); err != nil {
				return err
			}
			if e.window < 1 || e.tokens < 0 || e.batch < 1 {
				return usageError{errors.New("--context and --batch are at least 1, --tokens at least 0")}
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
			return e.run(out, m, v)
		}
	},
}

// evaluation is what the flags say.
type evaluation struct {
	text                  string
	window, tokens, batch int

	part int // bytes of a text in memory at a time
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
	var sum train.Score
	p, left := newProgress(out.stderr, 0, "tokens"), 1.0
	err := corpus.Parts(e.text, e.part, func(part *corpus.Text, share float64) error {
		if len(part.Data) <= e.window && share < 1 {
			return nil // the end of a text, shorter than a window
		}
		data, err := part.Tokens(v)
		if err != nil {
			return err
		}
		most := data.Len()
		if e.tokens > 0 {
			most = min(most, int(math.Ceil(float64(e.tokens)*share)))
		}
		p.total = p.done + int(float64(most)*left/share) // what is left of the text, if it is as this part
		left -= share
		score, err := train.EvaluateWhile(m.Model, data, e.batch, e.window, most, func(tokens int) bool {
			p.step(tokens)
			return ctx.Err() == nil
		})
		sum = sum.Plus(score)
		if err == nil {
			err = ctx.Err()
		}
		return err
	})
	interrupted := errors.Is(err, context.Canceled) && sum.Tokens > 0
	if err != nil && !interrupted {
		return err
	}
	if loss := sum.Loss(); math.IsNaN(loss) || math.IsInf(loss, 0) {
		return fmt.Errorf("%s: the loss is %v: the weights overflow float32", m.path, loss)
	}
	if err := printScore(out, sum); err != nil || !interrupted {
		return err
	}
	return fmt.Errorf("interrupted: the score is that of the first %d tokens", sum.Tokens)
}

func printScore(out output, s train.Score) error {
	return json.NewEncoder(out.stdout).Encode(struct {
		Tokens     int     `json:"tokens"`
		Loss       float64 `json:"loss_nats"`
		Bits       float64 `json:"bits_per_byte"`
		Perplexity float64 `json:"perplexity"`
	}{s.Tokens, s.Loss(), s.BPB(), min(math.Exp(s.Loss()), math.MaxFloat64)})
}
