package checkpoint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"workbench/arch/nn"
)

// Weights are the weights of one model as this program names and shapes them.
type Weights struct {
	Arch string
	// Config is what arch.New needs: what the file says itself, and otherwise
	// what can be told from shapes and from a config.json beside it. A
	// transformer's "heads" is absent where neither says it.
	Config  map[string]any
	Tensors map[string]*nn.Tensor
	// Source is the name in the file of each tensor.
	Source map[string]string
	// Metadata is the file's own.
	Metadata map[string]string
	// Transposed marks the matrices that the file holds [in,out].
	Transposed map[string]bool
}

// Open reads a model: one that Save wrote, RWKV-4 under official or Hugging
// Face names or from rwkv.cpp, a GPT-2 of nanoGPT or Hugging Face, a
// torch.nn.RNN between embedding and head. It tells the architecture from the
// names, maps them to ours, drops mask buffers, and turns the weights into
// float32. Where a head shares its values with the embedding, only the
// embedding is kept.
func Open(path string) (*Weights, error) {
	f, err := OpenTensors(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	w, err := f.weights(filepath.Join(filepath.Dir(path), "config.json"))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

func (f *File) weights(configFile string) (*Weights, error) {
	w := &Weights{Tensors: map[string]*nn.Tensor{}, Source: map[string]string{}, Metadata: f.Metadata}
	ts := tensors{}
	for _, name := range f.Names() {
		ours, t := ourName(name), f.tensors[name]
		if isMask(ours, t) {
			continue
		}
		t = t.squeezed()
		if ts[ours] != nil {
			return nil, fmt.Errorf("tensors %.80q and %.80q are one weight", w.Source[ours], name)
		}
		ts[ours], w.Source[ours] = t, name
	}
	own, err := f.ownConfig()
	if err != nil {
		return nil, err
	}
	if w.Arch, err = detect(ts); err != nil {
		return nil, err
	}
	if own != nil && f.Metadata["arch"] != w.Arch {
		return nil, fmt.Errorf("the metadata says %.40q, the tensors are of %s", f.Metadata["arch"], w.Arch)
	}
	read := layouts[w.Arch]
	if read == nil {
		return nil, fmt.Errorf("the architecture is %s, and this program has only %s", w.Arch,
			strings.Join(slices.Sorted(maps.Keys(layouts)), ", "))
	}
	if w.Arch == "transformer" {
		w.Transposed = ts.transposeConv1D()
	}
	for _, embedding := range []string{"transformer.wte.weight", "model.embed_tokens.weight"} {
		if head := ts["lm_head.weight"]; head != nil && head.same(ts[embedding]) {
			delete(ts, "lm_head.weight")
			delete(w.Source, "lm_head.weight")
		}
	}
	if w.Arch == "rwkv6" || w.Arch == "rwkv7" {
		w.Transposed = ts.turnLoRA(w.Arch)
		ts.dropValueMix()
	}
	s := &sizes{ts: ts, own: own}
	config, want := read(s)
	if s.err != nil {
		return nil, s.err
	}
	if err := ts.check(want); err != nil {
		return nil, err
	}
	if w.Config, err = f.config(w, own, config, configFile); err != nil {
		return nil, err
	}
	return w, f.load(w, ts)
}

// same tells whether two tensors are equal to the bit.
func (t *stored) same(o *stored) bool {
	return o != nil && t.DType == o.DType && slices.Equal(t.Shape, o.Shape) &&
		slices.Equal(t.strides, o.strides) && bytes.Equal(t.data, o.data)
}

// load reads the tensors into w.
func (f *File) load(w *Weights, ts tensors) error {
	total := 0
	for _, t := range ts {
		total += 4 * t.len()
	}
	if total/8 > f.size {
		return fmt.Errorf("%d bytes of weights in a file of %d", total, f.size)
	}
	for _, name := range ts.names() {
		t := ts[name]
		data := gather[float32](t)
		if f.format == formatRWKVCpp && strings.HasSuffix(name, ".time_decay") {
			if err := rawDecay(data); err != nil {
				return fmt.Errorf("tensor %q: %w", name, err)
			}
		}
		w.Tensors[name] = &nn.Tensor{Shape: slices.Clone(t.Shape), Data: data}
	}
	return nil
}

// rawDecay undoes the -exp that rwkv.cpp's converter applies to a version-4
// time_decay.
func rawDecay(x []float32) error {
	for i, v := range x {
		if !(v < 0) {
			return fmt.Errorf("element %d is %v and should be negative", i, v)
		}
		x[i] = float32(math.Log(-float64(v)))
	}
	return nil
}

// config completes what the shapes say.
func (f *File) config(w *Weights, own, config map[string]any, configFile string) (map[string]any, error) {
	if own != nil {
		return agree(w.Arch, own, config)
	}
	if w.Arch == "transformer" && config["positions"] == nil {
		return nil, errNoPositions
	}
	switch {
	case f.format == formatRWKVCpp:
		for key, ours := range map[string]string{"n_vocab": "vocab", "n_embed": "dim", "n_layer": "layers"} {
			if f.Metadata[key] != strconv.Itoa(config[ours].(int)) {
				return nil, fmt.Errorf("the header says %s %s, the tensors %v", key, f.Metadata[key], config[ours])
			}
		}
	case w.Arch == "rwkv4" && w.Source["emb.weight"] != "emb.weight": // Hugging Face
		_, err := readHF(configFile, "rwkv")
		return config, err
	case w.Arch == "transformer":
		return config, f.gptConfig(config, len(w.Transposed) > 0, configFile)
	case w.Arch == "llama":
		return config, f.llamaConfig(w, config, configFile)
	}
	return config, nil
}

// gptConfig adds what a GPT-2's tensors do not tell.
func (f *File) gptConfig(config map[string]any, huggingFace bool, configFile string) error {
	if !huggingFace {
		config["activation"] = "gelu"
		if n, err := strconv.Atoi(f.Metadata["model_args.n_head"]); err == nil {
			config["heads"] = n
		}
		return nil
	}
	hf, err := readHF(configFile, "gpt2")
	if err != nil {
		return err
	}
	switch hf.Activation {
	case "", "gelu_new", "gelu_pytorch_tanh":
		config["activation"] = "gelu_tanh"
	case "gelu":
		config["activation"] = "gelu"
	default:
		return fmt.Errorf("%s: activation_function %.40q is not supported", configFile, hf.Activation)
	}
	if hf.Heads > 0 {
		config["heads"] = hf.Heads
	}
	return nil
}

// hfConfig is what matters here of a Hugging Face config.json.
type hfConfig struct {
	Model        string   `json:"model_type"`
	Heads        int      `json:"n_head"`
	Activation   string   `json:"activation_function"`
	Epsilon      *float64 `json:"layer_norm_epsilon"`
	Scale        *bool    `json:"scale_attn_weights"`
	InverseLayer bool     `json:"scale_attn_by_inverse_layer_idx"`
}

// readHF reads config.json where there is one of that model type.
func readHF(path, model string) (hfConfig, error) {
	var c hfConfig
	b, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return c, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return c, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case c.Model != model:
		return hfConfig{}, nil
	case c.Epsilon != nil && *c.Epsilon != 1e-5:
		return c, fmt.Errorf("%s: layer_norm_epsilon %v is not supported, only 1e-5", path, *c.Epsilon)
	case c.Scale != nil && !*c.Scale || c.InverseLayer:
		return c, fmt.Errorf("%s: attention that is not scaled by 1/sqrt(head size) is not supported", path)
	}
	return c, nil
}

// ownConfig is the configuration that Save stored, nil where f is not of ours.
func (f *File) ownConfig() (map[string]any, error) {
	own := f.Metadata["config"]
	if f.format != formatSafetensors || own == "" || f.Metadata["arch"] == "" {
		return nil, nil
	}
	dec := json.NewDecoder(strings.NewReader(own))
	dec.UseNumber()
	var config map[string]any
	if err := dec.Decode(&config); err != nil || config == nil {
		return nil, fmt.Errorf("metadata %q is not a JSON object", "config")
	}
	for key, v := range config {
		n, ok := v.(json.Number)
		if !ok {
			continue
		}
		if i, err := strconv.Atoi(n.String()); err == nil {
			config[key] = i
		} else if x, err := n.Float64(); err == nil {
			config[key] = x
		} else {
			return nil, fmt.Errorf("the metadata says %.40q %.40v, which is no number of 64 bits", key, v)
		}
	}
	return config, nil
}

// agree completes our own configuration by what the shapes say, which must
// not contradict it: a model is built from it before the tensors are read.
func agree(arch string, own, shapes map[string]any) (map[string]any, error) {
	for key, v := range shapes {
		if c, ok := own[key]; ok && c != v {
			return nil, fmt.Errorf("the metadata says %s %.40s, the tensors %v", key, fmt.Sprint(c), v)
		}
		own[key] = v
	}
	if arch == "transformer" && shapes["positions"] == nil && own["positions"] != "rotary" {
		return nil, errNoPositions
	}
	return own, nil
}

var errNoPositions = errors.New(`tensor "transformer.wpe.weight" is missing`)

// Assign fills every weight of a model. A weight that w lacks, one that the
// model lacks and a shape that differs are errors, and leave the model as it
// was.
func Assign(model any, w *Weights) error {
	var err error
	left := maps.Clone(w.Tensors)
	nn.Walk(model, func(p nn.Param) {
		switch t := left[p.Name]; {
		case err != nil:
		case t == nil:
			err = fmt.Errorf("weight %q is missing", p.Name)
		case !slices.Equal(t.Shape, p.Tensor.Shape):
			err = fmt.Errorf("weight %q has shape %v and the model wants %v", p.Name, t.Shape, p.Tensor.Shape)
		default:
			delete(left, p.Name)
		}
	})
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("the model has no weight %q", slices.Min(slices.Collect(maps.Keys(left))))
	}
	nn.Walk(model, func(p nn.Param) { copy(p.Tensor.Data, w.Tensors[p.Name].Data) })
	return nil
}
