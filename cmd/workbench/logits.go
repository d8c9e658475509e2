package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"workbench/arch/nn"
)

var logitsCommand = command{
	name:    "logits",
	short:   "Print the logits that a model file gives for tokens as JSON: {\"logits\": [...]}.",
	example: "workbench logits --model model.safetensors --tokens 34,105,110",
	setup: func(fs *flag.FlagSet) body {
		var model modelFlags
		model.declare(fs, "f32")
		tokens := fs.String("tokens", "", "token numbers, `1,2,3`")
		all := fs.Bool("all", false, "the logits of every token, not of the last alone")
		chunk := fs.Int("chunk", 0, "feed `N` tokens at a time, 0: all at once")
		stateIn := fs.String("state-in", "", "`FILE` that generate --state-out wrote: go on from there")
		return func(args []string, out output) error {
			if err := noArgs(args); err != nil {
				return err
			}
			if model.path == "" || *tokens == "" {
				return usageError{errors.New("--model FILE and --tokens 1,2,3 are both needed")}
			}
			if err := inRange("chunk", *chunk, 0, most); err != nil {
				return usageError{err}
			}
			ids, err := parseTokens(*tokens)
			if err != nil {
				return usageError{err}
			}
			m, err := model.open()
			if err != nil {
				return err
			}
			defer m.close()
			mem := newMemory(m.Model, 1, nil, 0)
			if *stateIn != "" {
				if mem, err = loadMemory(*stateIn, m, nil); err != nil {
					return err
				}
				if mem.B != 1 {
					return fmt.Errorf("%s holds %d sequences: logits are those of one", *stateIn, mem.B)
				}
			}
			if err := m.fits(ids, mem.read); err != nil {
				return err
			}
			scored := 1
			if *all {
				scored = len(ids)
			}
			if err := m.fitsReading(1, mem.read+len(ids), min(len(ids), orDefault(*chunk, len(ids))), scored, "fewer --tokens, or --chunk"); err != nil {
				return err
			}
			return printLogits(out, m, mem, ids, *all, *chunk)
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

func printLogits(out output, m *fileModel, mem *memory, ids []int32, all bool, chunk int) error {
	rows := score(m, mem, ids, all, chunk)
	for _, row := range rows {
		if err := finite(row); err != nil {
			return err
		}
	}
	if all {
		return json.NewEncoder(out.stdout).Encode(map[string]any{"logits": rows})
	}
	return json.NewEncoder(out.stdout).Encode(map[string]any{"logits": rows[0]})
}

// score feeds the tokens chunk at a time (0: all at once) and returns the
// logits [V] of every token, or of the last alone.
func score(m *fileModel, mem *memory, ids []int32, all bool, chunk int) (rows [][]float32) {
	if chunk == 0 {
		chunk = len(ids)
	}
	g := nn.Inference()
	for at := 0; at < len(ids); at += chunk {
		piece := ids[at:min(at+chunk, len(ids))]
		g.Reset()
		h := m.Forward(g, nn.Tokens{IDs: piece, B: 1, T: len(piece)}, mem.state)
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
