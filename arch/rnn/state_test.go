package rnn

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"workbench/arch"
	"workbench/arch/archtest"
	"workbench/arch/nn"
)

// drawn is a small random model and a text for it.
type drawn struct {
	name   string
	config map[string]any
	model  arch.Model
	tok    nn.Tokens
	r      *rand.Rand
}

func draw(t *testing.T, seed uint64) drawn {
	r := rand.New(rand.NewPCG(seed, 3))
	V := 2 + r.IntN(30)
	d := drawn{r: r, name: []string{"rnn", "lstm", "gru"}[r.IntN(3)], config: map[string]any{
		"dim": 1 + r.IntN(40), "layers": 1 + r.IntN(3), "vocab": V, "residual": r.IntN(2) == 0, "layer_norm": r.IntN(2) == 0,
	}}
	if d.config["residual"] == false {
		d.config["emb"] = r.IntN(20)
	}
	var err error
	if d.model, _, err = arch.New(d.name, d.config, seed); err != nil {
		t.Fatal(err)
	}
	archtest.Jitter(d.model, seed)
	d.tok = nn.Tokens{B: 1 + r.IntN(6), T: 2 + r.IntN(30)}
	for range d.tok.B * d.tok.T {
		d.tok.IDs = append(d.tok.IDs, int32(r.IntN(V)))
	}
	return d
}

func (d drawn) String() string {
	return fmt.Sprintf("%s %v B=%d T=%d", d.name, d.config, d.tok.B, d.tok.T)
}

// part is positions [from, to) of rows [b0, b1).
func (d drawn) part(b0, b1, from, to int) nn.Tokens {
	p := nn.Tokens{B: b1 - b0, T: to - from}
	for b := b0; b < b1; b++ {
		p.IDs = append(p.IDs, d.tok.IDs[b*d.tok.T+from:b*d.tok.T+to]...)
	}
	return p
}

const models = 60

// TestStateRestores checks that reading on from a saved copy of a state gives
// the same bits, wherever it was saved, whatever was read in between and
// however the text is cut.
func TestStateRestores(t *testing.T) {
	for seed := range uint64(models) {
		d := draw(t, seed)
		B, T := d.tok.B, d.tok.T
		cut := 1 + d.r.IntN(T-1)
		s, saved := d.model.NewState(B), d.model.NewState(B)
		archtest.Logits(d.model, d.part(0, B, 0, cut), s, 1+d.r.IntN(cut))
		arch.CopyState(saved, s)
		pieces := []int{1 + d.r.IntN(T-cut), 1 + d.r.IntN(5)}
		rest := d.part(0, B, cut, T)
		want := archtest.Logits(d.model, rest, s, pieces...)
		end := d.model.NewState(B)
		arch.CopyState(end, s)
		archtest.Logits(d.model, d.part(0, B, 0, T), s, 2)
		arch.CopyState(s, saved)
		if !slices.Equal(archtest.Logits(d.model, rest, s, pieces...), want) {
			t.Errorf("%v: the future after position %d differs", d, cut)
		}
		if !slices.Equal(contents(s), contents(end)) {
			t.Errorf("%v: the state at the end differs", d)
		}
	}
}

// TestStateIsRows checks that the rows of a state are independent: a row read
// alone, token by token, leaves the same state within rounding.
func TestStateIsRows(t *testing.T) {
	for seed := range uint64(models) {
		d := draw(t, models+seed)
		B, T := d.tok.B, d.tok.T
		all := d.model.NewState(B)
		archtest.Logits(d.model, d.tok, all)
		for b := range B {
			one := d.model.NewState(1)
			archtest.Logits(d.model, d.part(b, b+1, 0, T), one, 1)
			var rows []*nn.Tensor
			nn.WalkState(all, func(_ string, s *nn.Tensor) { rows = append(rows, s) })
			nn.WalkState(one, func(name string, s *nn.Tensor) {
				H := s.Dim(1)
				for i, v := range rows[0].Data[b*H : (b+1)*H] {
					if diff := float64(v - s.Data[i]); diff > 2e-4 || diff < -2e-4 {
						t.Fatalf("%v: row %d, slot %s: %v in the batch, %v alone", d, b, name, v, s.Data[i])
					}
				}
				rows = rows[1:]
			})
		}
	}
}

// TestStateBytes checks that a layer stores H floats for a sequence, an LSTM
// twice as many.
func TestStateBytes(t *testing.T) {
	for seed := range uint64(models) {
		d := draw(t, seed)
		slots := map[string]int{"rnn": 1, "gru": 1, "lstm": 2}[d.name]
		want := int64(4 * slots * d.tok.B * d.config["dim"].(int) * d.config["layers"].(int))
		if got := arch.StateBytes(d.model.NewState(d.tok.B)); got != want {
			t.Errorf("%v: %d bytes, want %d", d, got, want)
		}
	}
}

func contents(s arch.State) (all []float32) {
	nn.WalkState(s, func(_ string, t *nn.Tensor) { all = append(all, t.Data...) })
	return all
}

func TestResidualNeedsEqualWidths(t *testing.T) {
	if _, _, err := arch.New("gru", map[string]any{"dim": 8, "emb": 4, "residual": true}, 1); err == nil {
		t.Error("a residual around layers of 4 and 8 channels is no error")
	}
}
