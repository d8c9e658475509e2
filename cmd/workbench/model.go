package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/nn"
)

var logitsCommand = command{
	name:    "logits",
	short:   "Print the logits that a model file gives for tokens as JSON: {\"logits\": [...]}.",
	example: "workbench logits --model model.safetensors --tokens 34,105,110",
	setup: func(fs *flag.FlagSet) body {
		model := fs.String("model", "", "model `FILE`: safetensors, .pth or rwkv.cpp")
		tokens := fs.String("tokens", "", "token numbers, `1,2,3`")
		all := fs.Bool("all", false, "the logits of every token, not of the last alone")
		chunk := fs.Int("chunk", 0, "feed `N` tokens at a time, 0: all at once")
		set := fs.String("set", "", "what the file does not say of the model, `key=value,...` (heads=4)")
		return func(args []string, out output) error {
			if err := noArgs(args); err != nil {
				return err
			}
			if *model == "" || *tokens == "" {
				return usageError{errors.New("--model FILE and --tokens 1,2,3 are both needed")}
			}
			if *chunk < 0 {
				return usageError{fmt.Errorf("--chunk %d: give the number of tokens, or 0 for all at once", *chunk)}
			}
			ids, err := parseTokens(*tokens)
			if err != nil {
				return usageError{err}
			}
			m, vocab, err := openModel(*model, *set)
			if err != nil {
				return err
			}
			if err := fits(m, vocab, ids); err != nil {
				return err
			}
			return printLogits(out, m, ids, *all, *chunk)
		}
	},
}

func parseTokens(s string) ([]int32, error) {
	var ids []int32
	for i, word := range strings.Split(s, ",") {
		id, err := strconv.ParseInt(strings.TrimSpace(word), 10, 32)
		if err != nil || id < 0 {
			return nil, fmt.Errorf("--tokens: number %d, %q, is not a token: give whole numbers from 0, separated by commas", i+1, word)
		}
		ids = append(ids, int32(id))
	}
	return ids, nil
}

// openModel reads a model file; set adds to the configuration that it implies.
// It also returns the size of the vocabulary.
func openModel(path, set string) (arch.Model, int, error) {
	m, _, vocab, err := openWeights(path, set)
	return m, vocab, err
}

// openWeights is openModel with what else the file says.
func openWeights(path, set string) (arch.Model, *checkpoint.Weights, int, error) {
	more, err := arch.ParseSet(set)
	if err != nil {
		return nil, nil, 0, usageError{fmt.Errorf("--set: %w", err)}
	}
	w, err := checkpoint.Open(path)
	if err != nil {
		return nil, nil, 0, err
	}
	for key, value := range more {
		w.Config[key] = value
	}
	if _, ok := w.Config["heads"]; !ok && w.Arch == "transformer" {
		return nil, nil, 0, fmt.Errorf("%s does not say how many attention heads the model has: give --set heads=N", path)
	}
	m, config, err := arch.New(w.Arch, w.Config, 0)
	if err == nil {
		err = checkpoint.Assign(m, w)
	}
	if err != nil {
		return nil, nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	vocab, _ := config["vocab"].(float64)
	return m, w, int(vocab), nil
}

// fits tells whether m can read the tokens.
func fits(m arch.Model, vocab int, ids []int32) error {
	for i, id := range ids {
		if int(id) >= vocab {
			return fmt.Errorf("token %d (number %d) is outside the model's vocabulary of %d", id, i+1, vocab)
		}
	}
	if limit := arch.Context(m); limit > 0 && len(ids) > limit {
		return fmt.Errorf("%d tokens are more than the model's %d positions: give fewer", len(ids), limit)
	}
	return nil
}

func printLogits(out output, m arch.Model, ids []int32, all bool, chunk int) error {
	rows := score(m, ids, all, chunk)
	for _, row := range rows {
		for i, x := range row {
			if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("the logit of token %d is %v: the weights overflow float32", i, v)
			}
		}
	}
	if all {
		return json.NewEncoder(out.stdout).Encode(map[string]any{"logits": rows})
	}
	return json.NewEncoder(out.stdout).Encode(map[string]any{"logits": rows[0]})
}

// score feeds the tokens chunk at a time (0: all at once) and returns the
// logits [V] of every token, or of the last alone.
func score(m arch.Model, ids []int32, all bool, chunk int) (rows [][]float32) {
	if chunk == 0 {
		chunk = len(ids)
	}
	g, s := nn.Inference(), m.NewState(1)
	for at := 0; at < len(ids); at += chunk {
		piece := ids[at:min(at+chunk, len(ids))]
		g.Reset()
		h := m.Forward(g, nn.Tokens{IDs: piece, B: 1, T: len(piece)}, s)
		C := h.Dim(-1)
		for t := range piece {
			if all || at+t == len(ids)-1 {
				y := m.Logits(g, &nn.Tensor{Shape: []int{1, 1, C}, Data: h.Data[t*C : (t+1)*C]})
				rows = append(rows, slices.Clone(y.Data))
			}
		}
	}
	return rows
}
