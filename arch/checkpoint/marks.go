package checkpoint

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Marks are the begin and end tokens given by a model's file or the files
// beside it, numbered in the vocabulary of the model.
type Marks struct {
	Begin int   // token to read before every text, -1: none
	Ends  []int // tokens that end a text or a turn
}

// Marks reads the begin and end tokens. A file that asks for a token at the end
// of every text is an error: no text could be continued.
func (w *Weights) Marks() (Marks, error) {
	m := Marks{Begin: -1}
	var err error
	switch {
	case w.file.format == formatGGUF:
		err = w.ggufMarks(&m)
	case !w.own && w.huggingFace():
		err = w.hfMarks(&m)
	}
	if err != nil {
		return m, fmt.Errorf("%s: %w", w.file.path, err)
	}
	return m, nil
}

// ggufMarks reads the marks of a GGUF file.
// Source: ggml-org/llama.cpp src/llama-vocab.cpp.
func (w *Weights) ggufMarks(m *Marks) error {
	s := w.file.ggufDescription("tokenizer.ggml.")
	for _, key := range []string{"eos_token_id", "eot_token_id", "eom_token_id"} {
		if s.has(key) {
			id, err := s.count(key, 0)
			if err != nil {
				return err
			}
			m.Ends = append(m.Ends, id)
		}
	}
	pieces := s.values["model"] == "llama" // SentencePiece vocabularies add a begin token unless the file says no
	add, err := s.boolean("add_bos_token", pieces)
	behind, err1 := s.boolean("add_eos_token", false)
	if err := cmp.Or(err, err1); err != nil {
		return err
	}
	if behind {
		return fmt.Errorf("%sadd_eos_token is true: no text could be continued", s.from)
	}
	if add {
		if !s.has("bos_token_id") && !pieces {
			return fmt.Errorf("%sadd_bos_token is true, and bos_token_id is missing", s.from)
		}
		m.Begin, err = s.count("bos_token_id", 1)
	}
	return err
}

// hfMarks reads the marks in the files beside a Hugging Face model:
// generation_config.json, else config.json, and tokenizer_config.json.
func (w *Weights) hfMarks(m *Marks) error {
	config, err := readDescription(filepath.Join(w.dir, "config.json"))
	generation, err1 := readDescription(filepath.Join(w.dir, "generation_config.json"))
	tokens, err2 := readDescription(filepath.Join(w.dir, "tokenizer_config.json"))
	if err := cmp.Or(err, err1, err2); err != nil {
		return err
	}
	from := config
	if generation.has("eos_token_id") {
		from = generation
	}
	list, ok := from.values["eos_token_id"].([]any)
	if !ok && from.has("eos_token_id") {
		list = []any{from.values["eos_token_id"]}
	}
	for _, v := range list {
		id, err := description{from.from, map[string]any{"eos_token_id": v}}.count("eos_token_id", 0)
		if err != nil {
			return err
		}
		m.Ends = append(m.Ends, id)
	}
	m.Begin, err = tokens.begin(config)
	return err
}

// begin returns the token that a tokenizer_config.json puts before texts, -1
// for none.
func (s description) begin(config description) (int, error) {
	class, _ := s.values["tokenizer_class"].(string)
	add, err := s.boolean("add_bos_token", strings.Contains(class, "Llama"))
	behind, err1 := s.boolean("add_eos_token", false)
	if err := cmp.Or(err, err1); err != nil {
		return -1, err
	}
	if behind {
		return -1, fmt.Errorf("%sadd_eos_token is true: no text could be continued", s.from)
	}
	if !add {
		return -1, nil
	}
	if text := content(s.values["bos_token"]); text != "" {
		added, _ := s.values["added_tokens_decoder"].(map[string]any)
		for _, id := range slices.Sorted(maps.Keys(added)) {
			if n, err := strconv.Atoi(id); err == nil && content(added[id]) == text {
				return n, nil
			}
		}
	}
	if !config.has("bos_token_id") {
		return -1, fmt.Errorf("%sadd_bos_token is true, and neither added_tokens_decoder nor config.json tells the number of bos_token", s.from)
	}
	return config.count("bos_token_id", 0)
}

// content returns the text of a token, which may be an object with further
// fields.
func content(v any) string {
	if o, ok := v.(map[string]any); ok {
		v = o["content"]
	}
	text, _ := v.(string)
	return text
}
