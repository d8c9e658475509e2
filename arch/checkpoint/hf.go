package checkpoint

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
)

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
