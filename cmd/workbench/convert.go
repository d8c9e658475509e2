package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/settings"
	"workbench/kernels"
)

var convertCommand = command{
	name: "convert",
	short: "Write a model file as safetensors under official names, matrices in another type if wanted. " +
		"Quantised ones become U8 tensors of ggml's blocks, whose types the metadata names under ggml_types: this program reads them.",
	example: "workbench convert --in model.gguf --out model.safetensors --dtype q8_0",
	setup: func(fs *flag.FlagSet) body {
		in := fs.String("in", "", "model `FILE`: safetensors or their index, .pth, GGUF or rwkv.cpp")
		to := fs.String("out", "", "safetensors `FILE` to write")
		dtype := fs.String("dtype", "f32", "`TYPE` of the matrices: f32, bf16, f16, q8_0, q4_0; vectors stay f32")
		set := fs.String("set", "", "what the file does not say of the model, `key=value,...` (heads=4)")
		return func(args []string, out output) error {
			if err := noArgs(args); err != nil {
				return err
			}
			if *in == "" || *to == "" {
				return usageError{errors.New("--in FILE and --out FILE are both needed")}
			}
			t, err := kernels.ParseDType(*dtype)
			if err != nil {
				return usageError{fmt.Errorf("--dtype: %w", err)}
			}
			more, err := settings.Parse(*set)
			if err != nil {
				return usageError{fmt.Errorf("--set: %w", err)}
			}
			return convert(*in, *to, t, more, out)
		}
	},
}

// convert writes the model in file from to the file to.
func convert(from, to string, t kernels.DType, more map[string]any, out output) error {
	w, err := checkpoint.Open(from)
	if err != nil {
		return err
	}
	defer w.Close()
	o, err := outlineFor(w, more)
	if err == nil {
		err = fitsConvert(w, o)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	m, config, err := arch.Empty(w.Arch, w.Config)
	if err == nil {
		err = w.Fits(m)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", from, err)
	}
	text, err := json.Marshal(config)
	if err != nil {
		return err
	}
	meta := map[string]string{"arch": w.Arch, "config": string(text)}
	for _, key := range []string{tokenizerKey, alphabetKey, tokenSumKey} {
		if v, ok := w.Metadata[key]; ok {
			meta[key] = v
		}
	}
	if v, _ := w.Vocabulary(); v != nil {
		fmt.Fprintf(out.stderr, "the vocabulary inside %s is left behind: give --tokenizer where text is read\n", from)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p, last := newProgress(out.stderr), int64(0)
	defer p.End()
	return w.Convert(to, t, meta, func(done, total int64) error {
		p.Count(int(done-last), int(total), "bytes")
		last = done
		return ctx.Err()
	})
}
