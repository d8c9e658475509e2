package rwkv

// docs documents the settings of Config4 to Config7 whose fields have no doc of
// their own.
var docs = map[string]string{
	"dim":                "channels C",
	"layers":             "blocks L",
	"vocab":              "vocabulary V",
	"ffn":                "hidden channels of the channel mixing; 0 means 4·dim",
	"token_shift":        "how much of the previous token each channel of the time mixing sees: trained, left at its initial value, or nothing",
	"channel_shift":      "the same for the channel mixing; same as token_shift",
	"time_decay":         "how fast each channel forgets: trained, left at its initial value, one trained value a layer, or never",
	"decay_spread":       "how far apart the initial decays of a layer are: 1 as published, 0 all at their mean",
	"channel_receptance": "the gate of the channel mixing",
	"channel_activation": "the non-linearity of the channel mixing",
	"small_init":         "a tiny initial embedding, or N(0, 0.02²)",
	"ln0":                "the norm after the embedding",
	"head_size":          "channels N of a head; 0 means the largest of 64, 32, … that divides dim",
	"group_norm_eps":     "added to the variance of a head",
	"output_gate":        "the gate of the time mixing",
	"group_norm":         "the norm of each head's memory",
}

// docs56 takes precedence over docs in versions 5 and 6.
var docs56 = map[string]string{
	"ffn":   "hidden channels of the channel mixing; 0 means 3.5·dim, down to whole 32s",
	"bonus": "whether the present token has a weight of its own, or counts like a past one",
}

// docs67 takes precedence over docs in versions 6 and 7.
var docs67 = map[string]string{
	"time_decay": "how fast each channel forgets: as the token says, trained but the same for all tokens, that left at its initial value, one trained value a layer, or never",
}
