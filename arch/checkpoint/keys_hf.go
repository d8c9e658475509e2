package checkpoint

import "maps"

// The rules for the keys of a Hugging Face config.json: hfEverywhere and the
// rules of the model type.
// Sources: huggingface/transformers PretrainedConfig, GPT2Config, LlamaConfig,
// MistralConfig, RwkvConfig; RWKV/rwkv-5-world-1b5 and RWKV/v6-Finch-1B6-HF
// configuration_rwkv*.py; fla-org/flash-linear-attention RWKV7Config.
const (
	isName     = "names the model or its program"
	isTraining = "of training alone"
	isInit     = "of initial weights, which the tensors replace"
	isSampling = "of drawing tokens, not of their logits"
	isToken    = "of texts: the marks of a text are read where one is"
	isTask     = "of other heads than that of language modelling"
	isSpeed    = "how it is computed or what is returned beside, not what"
	isStored   = "the type of the stored numbers, which the tensors tell"
	isAdvice   = "how long a text was in training: positions are computed for any"
)

var hfEverywhere = rules(map[string][]string{
	isName: {"architectures", "model_type", "_name_or_path", "name_or_path", "transformers_version", "auto_map", "_commit_hash", "tokenizer_class", "is_llama_config",
		"unsloth_fixed", "unsloth_version", "transformers.js_config", "model_version", "finetuning_task", "task_specific_params"},
	isTraining: {"attention_dropout", "attn_pdrop", "embd_pdrop", "resid_pdrop", "hidden_dropout", "dropout", "gradient_checkpointing", "tf_legacy_loss",
		"fuse_cross_entropy", "fuse_linear_cross_entropy", "loss_type", "use_l2warp", "router_aux_loss_coef"},
	isInit: {"initializer_range", "initializer_factor"},
	isSampling: {"max_length", "min_length", "do_sample", "early_stopping", "num_beams", "num_beam_groups", "diversity_penalty", "temperature", "top_k", "top_p",
		"typical_p", "repetition_penalty", "length_penalty", "no_repeat_ngram_size", "encoder_no_repeat_ngram_size", "bad_words_ids", "num_return_sequences",
		"exponential_decay_length_penalty", "suppress_tokens", "begin_suppress_tokens", "forced_bos_token_id", "forced_eos_token_id", "remove_invalid_values"},
	isToken: {"bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "unk_token_id", "decoder_start_token_id", "prefix"},
	isTask: {"id2label", "label2id", "num_labels", "_num_labels", "problem_type", "predict_special_tokens", "summary_activation", "summary_first_dropout",
		"summary_proj_to_labels", "summary_type", "summary_use_proj"},
	isSpeed: {"use_cache", "output_past", "output_attentions", "output_hidden_states", "output_scores", "return_dict", "return_dict_in_generate", "torchscript",
		"chunk_size_feed_forward", "attn_mode", "fuse_norm", "fuse_swiglu", "_attn_implementation", "_attn_implementation_autoset", "attn_implementation", "_flash_attn_2_enabled",
		"use_flash_attn", "pretraining_tp", "reorder_and_upcast_attn"},
	isStored: {"torch_dtype", "dtype", "use_bfloat16"},
}, map[string]rule{
	"vocab_size":         is("vocab"),
	"is_decoder":         harmless("a causal model either way"),
	"is_encoder_decoder": only(false), "add_cross_attention": only(false), "tie_encoder_decoder": only(false), "cross_attention_hidden_size": only(),
	"pruned_heads": only(map[string]any{}),
})

// rules returns the rules of harmless keys, listed by reason, and others.
func rules(harmlessKeys map[string][]string, others ...map[string]rule) map[string]rule {
	all := map[string]rule{}
	for why, keys := range harmlessKeys {
		for _, key := range keys {
			all[key] = harmless(why)
		}
	}
	for _, o := range others {
		maps.Copy(all, o)
	}
	return all
}

// hfRules are the rules of each architecture, beside those for all.
var hfRules = map[string]map[string]rule{
	"transformer": rules(map[string][]string{"the size of the mask; n_positions is that of the positions": {"n_ctx"}}, hfEverywhere, map[string]rule{
		"n_layer": is("layers"), "n_embd": is("dim"), "n_positions": is("context"), "n_inner": is("ffn"),
		"n_head": applied, "activation_function": applied, "tie_word_embeddings": applied,
		"layer_norm_epsilon": only(1e-5), "scale_attn_weights": only(true), "scale_attn_by_inverse_layer_idx": only(false),
	}),
	"llama": rules(map[string][]string{isAdvice: {"max_position_embeddings", "max_sequence_length", "original_max_position_embeddings"},
		"transformers reads it of other models alone": {"max_window_layers"}}, hfEverywhere, map[string]rule{
		"num_hidden_layers": is("layers"), "hidden_size": is("dim"), "intermediate_size": is("ffn"),
		"num_attention_heads": applied, "num_key_value_heads": applied, "head_dim": applied, "rms_norm_eps": applied,
		"rope_theta": applied, "rope_scaling": applied, "rope_parameters": applied,
		"sliding_window": applied, "use_sliding_window": applied, "layer_types": applied, "tie_word_embeddings": applied,
		"hidden_act": only("silu", "swish"), "hidden_activation": only("silu", "swish"),
		"attention_bias": only(false), "attention_out_bias": only(false), "mlp_bias": only(false), "bias": only(false), "qkv_bias": only(false), "no_bias": only(true),
		"partial_rotary_factor": only(1.0), "rotary_pct": only(1.0), "rope_interleaved": only(false), "use_qk_norm": only(false), "qk_layernorm": only(false),
		"use_parallel_residual": only(false), "num_experts": only(0.0), "num_local_experts": only(0.0),
		"logit_scale": only(1.0), "logits_scaling": only(1.0), "embedding_multiplier": only(1.0), "residual_multiplier": only(1.0), "embedding_scale": only(1.0), "residual_scale": only(1.0),
	}),
	"rwkv4": hfRWKV(map[string]rule{}),
	"rwkv5": hfRWKV(map[string]rule{"head_size": is("head_size"), "head_size_divisor": applied, "num_attention_heads": applied}),
	"rwkv6": hfRWKV(map[string]rule{"head_size": is("head_size"), "head_size_divisor": applied, "num_attention_heads": applied, "rescale_every": applied}),
	"rwkv7": rules(map[string][]string{isAdvice: {"max_position_embeddings"}, "the tensors tell the feed-forward channels": {"hidden_ratio"}}, hfEverywhere, map[string]rule{
		"num_hidden_layers": is("layers"), "hidden_size": is("dim"), "intermediate_size": is("ffn"), "head_dim": is("head_size"),
		"decay_low_rank_dim": is("decay_rank"), "a_low_rank_dim": is("iclr_rank"), "v_low_rank_dim": is("value_rank"), "gate_low_rank_dim": is("gate_rank"),
		"num_heads": applied, "value_dim": applied,
		"hidden_act": only("sqrelu", "relu2"), "norm_first": only(true), "norm_bias": only(true), "norm_eps": only(1e-5), "attn": only(), "tie_word_embeddings": only(false),
	}),
}

// hfRWKV are the rules of versions 4 to 6.
func hfRWKV(own map[string]rule) map[string]rule {
	return rules(map[string][]string{isAdvice: {"context_length", "max_context_length"},
		"halves the stream between layers and doubles it again: the eps of norms alone would notice": {"rescale_every"}}, hfEverywhere, map[string]rule{
		"num_hidden_layers": is("layers"), "hidden_size": is("dim"), "attention_hidden_size": is("dim"), "intermediate_size": is("ffn"),
		"layer_norm_epsilon": only(1e-5), "tie_word_embeddings": only(false),
	}, own)
}

// hfModels are the model types that use the tensor names of an architecture.
var hfModels = map[string][]string{
	"transformer": {"gpt2"}, "llama": {"llama", "mistral"}, "rwkv4": {"rwkv"}, "rwkv5": {"rwkv5"}, "rwkv6": {"rwkv6"}, "rwkv7": {"rwkv7"},
}
