package train

import (
	"math"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
	"workbench/experiments/corpus"
)

// ramp is a model whose prediction of the next byte depends on the last byte
// and on the number of bytes seen, which is its state.
type ramp struct{}

type rampState struct {
	Seen *nn.Tensor `s:"0.seen"` // [B,1]
}

func (ramp) NewState(B int) arch.State { return &rampState{nn.New(B, 1)} }

// Forward returns [B,T,2]: the token and the number of bytes seen before it.
func (ramp) Forward(g *nn.Graph, tok nn.Tokens, s arch.State) *nn.Tensor {
	h := g.Tensor(tok.B, tok.T, 2)
	for b := range tok.B {
		seen := float32(0)
		if s, ok := s.(*rampState); ok {
			seen = s.Seen.Data[b]
			s.Seen.Data[b] += float32(tok.T)
		}
		for i := range tok.T {
			h.Data[2*(b*tok.T+i)] = float32(tok.IDs[b*tok.T+i])
			h.Data[2*(b*tok.T+i)+1] = seen + float32(i)
		}
	}
	return h
}

// Logits favours a repetition of the byte by ln 2 for each byte seen before.
func (ramp) Logits(g *nn.Graph, h *nn.Tensor) *nn.Tensor {
	R := h.Len() / 2
	y := g.Tensor(R, 256)
	clear(y.Data)
	for r := range R {
		y.Data[r*256+int(h.Data[2*r])] = float32(math.Ln2) * h.Data[2*r+1]
	}
	return y
}

// Vocab implements arch.Model.
func (ramp) Vocab() int { return 256 }

// Channels implements arch.Model.
func (ramp) Channels() int { return 2 }

// rampBits is -log2 P of a repeated or another byte after `seen` bytes.
func rampBits(seen int, same bool) float64 {
	n := math.Pow(2, float64(seen))
	if same {
		return math.Log2(n+255) - math.Log2(n)
	}
	return math.Log2(n + 255)
}

func near(t *testing.T, what string, got, want float64, err error) {
	t.Helper()
	if err != nil || math.Abs(got-want) > 1e-5 {
		t.Errorf("%s: %v bits per byte, %v; want %v", what, got, err, want)
	}
}

// Two windows of four: the second byte of each repeats, the others do not.
var rampText = corpus.OfBytes([]byte("aabcddefg"))

func TestEvaluateByHand(t *testing.T) {
	at := []float64{rampBits(0, true), rampBits(1, false), rampBits(2, false), rampBits(3, false)}
	want := (at[0] + at[1] + at[2] + at[3]) / 4
	for _, B := range []int{1, 2, 3} {
		got, err := evaluate(ramp{}, rampText, B, 4, 100)
		near(t, "whole", got.BPB(), want, err)
	}
	one, err := evaluate(ramp{}, rampText, 2, 4, 1)
	near(t, "one window at least", one.BPB(), want, err)

	buckets, err := evaluateByPosition(ramp{}, []corpus.Tokens{rampText}, 2, 4, 100, 3)
	if err != nil || len(buckets) != 2 || buckets[0].From != 0 || buckets[0].To != 3 || buckets[1].From != 3 || buckets[1].To != 4 {
		t.Fatalf("buckets %v, %v", buckets, err)
	}
	near(t, "first bucket", buckets[0].Score, (at[0]+at[1]+at[2])/3, err)
	near(t, "last bucket", buckets[1].Score, at[3], err)

	got, err := EvaluateForgetting(ramp{}, corpus.Halves(rampText, rampText), 2, 4, 100, nil, 3)
	near(t, "nothing forgotten", got, want, err)
	got, err = EvaluateForgetting(ramp{}, corpus.Halves(rampText, rampText), 2, 4, 100, []string{"seen"}, 3)
	near(t, "forgotten after three", got, (at[0]+at[1]+at[2]+rampBits(0, false))/4, err)
}

// Tokens behind the last whole row count, and a text shorter than a row is a
// row.
func TestEvaluateReachesTheEnd(t *testing.T) {
	at := func(seen ...int) (bits float64) {
		for _, n := range seen {
			bits += rampBits(n, n == 0)
		}
		return bits / float64(len(seen))
	}
	text := corpus.OfBytes([]byte("aabcddefggh")) // rows of 4, 4 and 2
	for _, B := range []int{1, 2, 3} {
		got, err := evaluate(ramp{}, text, B, 4, 100)
		near(t, "with its end", got.BPB(), at(0, 1, 2, 3, 0, 1, 2, 3, 0, 1), err)
		if got.Tokens != 10 || got.Bytes != 10 {
			t.Errorf("%d tokens, %d bytes", got.Tokens, got.Bytes)
		}
	}
	short, err := evaluate(ramp{}, text.Part(0, 4), 2, 64, 100)
	near(t, "shorter than a row", short.BPB(), at(0, 1, 2), err)
}

// Each document is read from its start, and positions count from there.
func TestEvaluateDocuments(t *testing.T) {
	text := corpus.OfBytes([]byte("aabccdefggh"))
	docs := []corpus.Tokens{text.Part(0, 3), text.Part(3, 8), text.Part(8, 9), text.Part(9, 11)} // aab ccdef g gh
	bits := []float64{rampBits(0, true) * 2, rampBits(0, false), rampBits(1, false) * 2, rampBits(2, false), rampBits(3, false)}
	sum := 0.0
	for _, b := range bits {
		sum += b
	}
	for _, B := range []int{1, 2, 5} {
		got, err := EvaluateDocuments(ramp{}, docs, B, 8, 100, nil)
		near(t, "documents", got.BPB(), sum/7, err)
		if got.Tokens != 7 {
			t.Errorf("%d tokens", got.Tokens)
		}
		buckets, err := evaluateByPosition(ramp{}, docs, B, 4, 100, 1)
		if err != nil || len(buckets) != 4 {
			t.Fatalf("buckets %v, %v", buckets, err)
		}
		for i, want := range []float64{(bits[0] + bits[1]) / 3, bits[2] / 2, bits[3], bits[4]} {
			near(t, "a position", buckets[i].Score, want, nil)
		}
	}
	batches := 0
	if got, err := EvaluateDocuments(ramp{}, docs, 1, 8, 100, func(n int) bool { batches++; return batches < 2 }); err != nil || batches != 2 || got.Tokens != 6 {
		t.Errorf("ended after %d batches and %d tokens: %v", batches, got.Tokens, err)
	}
}

func TestEvaluationWindows(t *testing.T) {
	data := make([]byte, 101) // ten windows of ten
	for i := range data {
		data[i] = byte(i)
	}
	for _, c := range []struct {
		maxTokens int
		want      []int32 // where the windows start
	}{{1000, []int32{0, 10, 20, 30, 40, 50, 60, 70, 80, 90}}, {39, []int32{0, 30, 60}}, {0, []int32{0}}} {
		var starts []int32
		eachBatch(corpus.NewRows([]corpus.Tokens{corpus.OfBytes(data)}, 10), 4, c.maxTokens, func(_ []int, tok nn.Tokens, targets []int32) bool {
			for b := range tok.B {
				starts = append(starts, tok.IDs[b*10])
				if targets[b*10+9] != tok.IDs[b*10]+10 {
					t.Errorf("window at %d: targets %v", tok.IDs[b*10], targets[b*10:(b+1)*10])
				}
			}
			return true
		})
		if len(starts) != len(c.want) {
			t.Fatalf("%d tokens: windows at %v, want %v", c.maxTokens, starts, c.want)
		}
		for i := range starts {
			if starts[i] != c.want[i] {
				t.Errorf("%d tokens: windows at %v, want %v", c.maxTokens, starts, c.want)
			}
		}
	}
}

// Resetting the state every 8 tokens equals reading windows of 8; without
// resets, reading in pieces equals reading at once.
func TestForgettingEverythingIsShortWindows(t *testing.T) {
	_, heldOut := grammar(t)
	heldOut = heldOut.Part(0, 32*16+1)
	for _, c := range []struct {
		name  string
		slots []string
	}{
		{"rwkv4", []string{"att_x_prev", "ffn_x_prev", "aa", "bb", "pp"}},
		{"transformer", []string{"k", "v"}},
		{"rnn", []string{"h"}},
		{"lstm", []string{"h", "c"}},
	} {
		m := build(t, c.name, "dim=16,layers=2")
		nn.Walk(m, func(p nn.Param) { nn.Normal(p.Tensor, nn.Rand(5, p.Name), 0.5) })
		short, err := evaluate(m, heldOut, 4, 8, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		long, err := evaluate(m, heldOut, 4, 32, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(short.BPB()-long.BPB()) < 1e-3 {
			t.Fatalf("%s: context makes no difference: %v and %v", c.name, short, long)
		}
		got, err := EvaluateForgetting(m, corpus.Halves(heldOut, heldOut), 4, 32, 1<<20, c.slots, 8)
		near(t, c.name+" forgetting all", got, short.BPB(), err)
		for _, every := range []int{1, 5, 40} {
			got, err = EvaluateForgetting(m, corpus.Halves(heldOut, heldOut), 4, 32, 1<<20, nil, every)
			near(t, c.name+" forgetting nothing", got, long.BPB(), err)
		}
	}
}

func TestEvaluateErrors(t *testing.T) {
	limited := build(t, "transformer", "dim=16,layers=1,heads=2,context=8")
	text := corpus.OfBytes(make([]byte, 100))
	forgetting := func(m arch.Model, every int, slots ...string) error {
		_, err := EvaluateForgetting(m, corpus.Halves(text, text), 2, 8, 100, slots, every)
		return err
	}
	buckets := func(T, bucket int) error {
		_, err := evaluateByPosition(limited, []corpus.Tokens{text}, 2, T, 100, bucket)
		return err
	}
	whole := func(data corpus.Tokens, B, T int) error {
		_, err := evaluate(ramp{}, data, B, T, 100)
		return err
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{buckets(9, 4), "a context of 9 tokens exceeds the model's limit of 8"},
		{whole(text.Part(0, 1), 1, 8), "no two tokens"},
		{buckets(8, 0), "buckets of 0 positions"},
		{forgetting(ramp{}, 0, "seen"), "every 0 tokens"},
		{func() error {
			_, err := EvaluateForgetting(ramp{}, corpus.Halves(text.Part(0, 8), text.Part(0, 8)), 2, 8, 100, nil, 4)
			return err
		}(), "needs 9"},
		{whole(text, 0, 8), "at least 1"},
		{forgetting(ramp{}, 2, "sen"), `no slot "sen" (it has: 0.seen)`},
		{forgetting(limited, 2, "k"), "slot 0.v has one row a position"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("error %v, want %q", c.err, c.want)
		}
	}
}

// evaluate is EvaluateDocuments of a text that is one.
func evaluate(m arch.Model, text corpus.Tokens, B, T, maxTokens int) (corpus.Score, error) {
	return EvaluateDocuments(m, []corpus.Tokens{text}, B, T, maxTokens, nil)
}

// evaluateByPosition is EvaluateByPosition of documents.
func evaluateByPosition(m arch.Model, docs []corpus.Tokens, B, T, maxTokens, bucket int) ([]Bucket, error) {
	return EvaluateByPosition(m, corpus.Halves(docs[0], docs[0]), corpus.NewRows(docs, max(1, T)), B, T, maxTokens, bucket)
}
