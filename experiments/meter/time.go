package meter

import "workbench/experiments/record"

func init() {
	Register("time", 100, func() Meter { return clock{} }, Tokens, Duration, perToken, tokensPerSecond)
}

// What every timed sample holds.
var (
	Tokens          = record.Define(record.Quantity{Name: "tokens", Title: "tokens of a sample", Unit: "tokens", Kind: record.Exact})
	Duration        = record.Define(record.Quantity{Name: "duration", Title: "time of a sample", Unit: "s", Kind: record.Timed})
	perToken        = record.Define(record.Quantity{Name: "duration_per_token", Title: "time per token", Unit: "s/token", Kind: record.Timed, Better: record.Lower, Main: true})
	tokensPerSecond = record.Define(record.Quantity{Name: "tokens_per_second", Title: "speed", Unit: "tokens/s", Kind: record.Timed, Better: record.Higher})
)

// clock reports the times of the harness, and reads nothing itself.
type clock struct{}

// Begin implements Around.
func (clock) Begin() {}

// End implements Around.
func (clock) End(w Work) Reading {
	seconds, n := w.Duration.Seconds(), float64(w.Tokens)
	return Reading{Values: []record.Value{Tokens.Of(n), Duration.Of(seconds), perToken.Of(seconds / n), tokensPerSecond.Of(n / seconds)}}
}
