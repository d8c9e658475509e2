package record

// Metrics are the quantities of records that rules judge and figures show, by
// name, with the phases whose records hold them. Beside them there is
// probe:NAME/EVERY, which a probe of a quality cell measures.
var Metrics = map[string][]string{
	"duration_per_token": {"decode", "prefill", "train"},
	"tokens_per_second":  {"decode", "prefill", "train"},
	"joules_per_token":   {"decode", "prefill", "train"},
	"state_bytes":        {"decode", "prefill"},
	"heap_bytes":         {"decode", "prefill", "train"},
	"peak_rss_bytes":     {"decode", "prefill", "train", "quality"},
	"arena_bytes":        {"decode", "prefill", "train", "quality"},
	"params_nonemb":      {"decode", "prefill", "train", "quality"},
	"val_bits_per_byte":  {"quality"},
	"long_context_gap":   {"quality"},
}
