package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"

	"workbench/experiments/corpus"
	"workbench/experiments/train"
)

var evalCommand = command{
	name:    "eval",
	short:   "Print how well a model file predicts a text as JSON: loss, bits per byte, perplexity.",
	example: "workbench eval --model runs/book/model.safetensors --corpus book.txt --context 256",
	setup: func(fs *flag.FlagSet) body {
		var model modelFlags
		model.declare(fs)
		model.declareTokens(fs)
		text := fs.String("corpus", "go", "`FILE`, folder or name of the text")
		window := fs.Int("context", 128, "`N` tokens a window; every window starts from nothing")
		tokens := fs.Int("tokens", 0, "`N` tokens, in windows evenly over the text, 0: all of it")
		batch := fs.Int("batch", 16, "`N` windows at a time")
		return func(args []string, out output) error {
			if err := noArgs(args); err != nil {
				return err
			}
			if model.path == "" || *window < 1 || *tokens < 0 || *batch < 1 {
				return usageError{errors.New("--model FILE is needed, --context and --batch of at least 1, --tokens of at least 0")}
			}
			m, err := model.open()
			if err != nil {
				return err
			}
			v, err := model.tokens(m)
			if err != nil {
				return err
			}
			t, err := corpus.Open(*text)
			if err != nil {
				return err
			}
			data, err := t.Tokens(v)
			if err != nil {
				return err
			}
			if *tokens == 0 {
				*tokens = data.Len()
			}
			score, err := train.Evaluate(m.Model, data, *batch, *window, *tokens)
			if err != nil {
				return err
			}
			if loss := score.Loss(); math.IsNaN(loss) || math.IsInf(loss, 0) {
				return fmt.Errorf("%s: the loss is %v: the weights overflow float32", model.path, loss)
			}
			return json.NewEncoder(out.stdout).Encode(struct {
				Tokens     int     `json:"tokens"`
				Loss       float64 `json:"loss_nats"`
				Bits       float64 `json:"bits_per_byte"`
				Perplexity float64 `json:"perplexity"`
			}{score.Tokens, score.Loss(), score.BPB(), math.Exp(score.Loss())})
		}
	},
}
