package checkpoint

// ggufRules are the rules for the keys of a GGUF file in the namespace of its
// architecture. Keys under general, tokenizer, quantize and split are read
// elsewhere or describe the file; keys under other names do not affect what a
// model computes.
// Source: ggml-org/llama.cpp src/llama-model.cpp, load_hparams; gguf-py
// gguf/constants.py; ggml-org/ggml docs/gguf.md.
var ggufRules = map[string]map[string]rule{
	"gpt2": rules(map[string][]string{}, ggufEverywhere, map[string]rule{
		"context_length": is("context"), "attention.head_count": applied, "attention.head_count_kv": applied,
		"attention.layer_norm_epsilon": only(1e-5),
	}),
	"llama": rules(map[string][]string{
		isAdvice: {"context_length"},
		"rotary scaling alone reads it, which is refused":                   {"rope.scaling.original_context_length", "rope.scaling.finetuned"},
		"how the first file had the rows of queries and keys, not this one": {"tensor_data_layout"},
	}, ggufEverywhere, map[string]rule{
		"attention.head_count": applied, "attention.head_count_kv": applied, "attention.key_length": applied, "attention.value_length": applied,
		"attention.layer_norm_rms_epsilon": applied, "attention.sliding_window": applied,
		"rope.dimension_count": applied, "rope.freq_base": applied,
		"rope.scaling.type": only("none", "linear"), "rope.scaling.factor": only(1.0, 0.0), "rope.scale_linear": only(1.0, 0.0), "rope.scaling.attn_factor": only(1.0),
		"attention.scale": only(0.0), "attn_logit_softcapping": only(0.0), "final_logit_softcapping": only(0.0), "attention.clamp_kqv": only(0.0), "attention.max_alibi_bias": only(0.0),
		"logit_scale": only(1.0, 0.0), "embedding_scale": only(1.0, 0.0), "residual_scale": only(1.0, 0.0),
		"expert_count": only(0.0), "expert_used_count": only(0.0), "expert_shared_count": only(0.0), "nextn_predict_layers": only(0.0),
	}),
	"rwkv6": rules(map[string][]string{isAdvice: {"context_length"}}, ggufEverywhere, map[string]rule{
		"attention.head_count": applied, "attention.head_count_kv": applied, "attention.layer_norm_epsilon": only(1e-5),
		"wkv.head_size": is("head_size"), "rescale_every_n_layers": applied, "time_mix_extra_dim": is("mix_rank"), "time_decay_extra_dim": is("decay_rank"),
		"token_shift_count": only(2.0),
	}),
	"rwkv7": rules(map[string][]string{isAdvice: {"context_length"}}, ggufEverywhere, map[string]rule{
		"attention.head_count": applied, "attention.head_count_kv": applied, "attention.layer_norm_epsilon": only(1e-5),
		"wkv.head_size": is("head_size"), "attention.decay_lora_rank": is("decay_rank"), "attention.iclr_lora_rank": is("iclr_rank"),
		"attention.value_residual_mix_lora_rank": is("value_rank"), "attention.gate_lora_rank": is("gate_rank"), "token_shift_count": only(2.0),
	}),
}

var ggufEverywhere = map[string]rule{
	"block_count": is("layers"), "embedding_length": is("dim"), "feed_forward_length": is("ffn"), "vocab_size": is("vocab"),
	"attention.causal": only(true), "use_parallel_residual": only(false), "pooling_type": harmless(isTask),
}
