package corpus

import (
	"slices"
	"strings"
	"testing"
)

func batch(t *testing.T, data []byte, B, T int, seed uint64, step int) (tok, targets []int32) {
	t.Helper()
	s, err := Windows(OfBytes(data), B, T, seed)
	if err != nil {
		t.Fatal(err)
	}
	tok, targets = make([]int32, B*T), make([]int32, B*T)
	s.Batch(step, tok, targets)
	return tok, targets
}

func TestBatchIsWindowsOfTheText(t *testing.T) {
	data := make([]byte, 200)
	for i := range data {
		data[i] = byte(i)
	}
	const B, T = 4, 16
	tok, targets := batch(t, data, B, T, 1, 7)
	for i := range tok {
		if i%T > 0 && tok[i] != tok[i-1]+1 || targets[i] != tok[i]+1 {
			t.Fatalf("row %d: tokens %v, targets %v", i/T, tok[i/T*T:(i/T+1)*T], targets[i/T*T:(i/T+1)*T])
		}
	}
}

// A step's windows depend on seed, step and row, and on nothing that went before.
func TestBatchIsCounterBased(t *testing.T) {
	data := grammarText().Data
	s, err := Windows(OfBytes(data), 3, 32, 5)
	if err != nil {
		t.Fatal(err)
	}
	tok, targets := make([]int32, 96), make([]int32, 96)
	for step := range 10 {
		s.Batch(step, tok, targets)
	}
	again, _ := batch(t, data, 3, 32, 5, 9)
	if !slices.Equal(tok, again) {
		t.Error("the same step gave other windows")
	}
	otherSeed, _ := batch(t, data, 3, 32, 6, 9)
	otherStep, _ := batch(t, data, 3, 32, 5, 10)
	if slices.Equal(tok, otherSeed) || slices.Equal(tok, otherStep) || slices.Equal(tok[:32], tok[32:64]) {
		t.Error("other seeds, steps or rows gave the same windows")
	}
	// A larger batch has the same first rows.
	larger, _ := batch(t, data, 5, 32, 5, 9)
	if !slices.Equal(tok, larger[:96]) {
		t.Error("rows depend on the batch size")
	}
}

func TestOffsetsAreUniform(t *testing.T) {
	s, err := Windows(OfBytes(make([]byte, 20)), 4, 10, 3)
	if err != nil {
		t.Fatal(err)
	}
	var seen [10]int // the last window starts at 20-11
	for step := range 5000 {
		for row := range 4 {
			_, at := s.window(step, row)
			seen[at]++
		}
	}
	for at, n := range seen {
		if n < 1800 || n > 2200 {
			t.Errorf("offset %d drawn %d times of 20000, expected about 2000", at, n)
		}
	}
}

func TestWindowsNeedText(t *testing.T) {
	if _, err := Windows(OfBytes(make([]byte, 11)), 1, 10, 0); err != nil {
		t.Errorf("exactly one window: %v", err)
	}
	for _, c := range []struct {
		bytes, B, T int
		want        string
	}{{10, 1, 10, "need 11"}, {0, 1, 1, "0 tokens"}, {9, 0, 1, "at least 1"}, {9, 1, 0, "at least 1"}} {
		if _, err := Windows(OfBytes(make([]byte, c.bytes)), c.B, c.T, 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}

// counting is n tokens, token i being i.
func counting(n int) Tokens {
	return Tokens{Vocab: n, hi: n, read: func(at int, ids []int32) {
		for i := range ids {
			ids[i] = int32(at + i)
		}
	}}
}

// TestEpochs: every window once an epoch, in another order the next time.
func TestEpochs(t *testing.T) {
	const B, T = 3, 5
	parts := []Tokens{counting(64), counting(38)} // 12 and 7 windows
	s, err := NewSampler(parts, nil, B, T, 9, "epochs")
	if err != nil {
		t.Fatal(err)
	}
	var first []int
	for epoch := range 3 {
		seen, order := map[[2]int]bool{}, []int{}
		for i := range 19 {
			part, at := s.window((epoch*19+i)/B, (epoch*19+i)%B)
			seen[[2]int{part, at}] = true
			order = append(order, part*100+at/T)
			if at+T+1 > parts[part].Len() {
				t.Fatalf("window at %d of part %d", at, part)
			}
		}
		if len(seen) != 19 {
			t.Errorf("epoch %d has %d windows, want 19", epoch, len(seen))
		}
		if epoch == 0 {
			first = order
		} else if slices.Equal(order, first) {
			t.Error("two epochs have the same order")
		}
	}
}

func TestPermuted(t *testing.T) {
	for n := 1; n < 70; n++ {
		seen := make([]bool, n)
		for i := range n {
			seen[permuted(uint64(n), i, n)] = true
		}
		if slices.Contains(seen, false) {
			t.Errorf("not a permutation of %d", n)
		}
	}
}

// TestStream: rows read on, and begin again together.
func TestStream(t *testing.T) {
	const B, T = 2, 4
	s, err := NewSampler([]Tokens{counting(30)}, nil, B, T, 1, "stream") // 15 a row: 3 windows
	if err != nil {
		t.Fatal(err)
	}
	tok, targets := make([]int32, B*T), make([]int32, B*T)
	for step := range 7 {
		s.Batch(step, tok, targets)
		for b := range B {
			if want := int32(b*15 + step%3*T); tok[b*T] != want || targets[b*T] != want+1 {
				t.Errorf("step %d row %d begins at %d, want %d", step, b, tok[b*T], want)
			}
		}
		if s.Fresh(step) != (step%3 == 0) {
			t.Errorf("step %d: fresh %v", step, s.Fresh(step))
		}
	}
}

func TestMixOfTexts(t *testing.T) {
	s, err := NewSampler([]Tokens{counting(1000), counting(50)}, []float64{1, 3}, 1, 10, 5, "random")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for step := range 4000 {
		part, at := s.window(step, 0)
		n += part
		if at+11 > s.parts[part].Len() {
			t.Fatalf("window at %d of part %d", at, part)
		}
	}
	if n < 2900 || n > 3100 {
		t.Errorf("%d of 4000 windows from the text of weight 3 in 4", n)
	}
	for _, c := range []struct {
		weights []float64
		order   string
		want    string
	}{{[]float64{1}, "random", "1 weights for 2"}, {[]float64{1, 0}, "random", "weight 2"}, {nil, "stream", "one text"},
		{[]float64{1, 1}, "epochs", "leave out the weights"}, {nil, "backwards", "not one of"}} {
		if _, err := NewSampler(s.parts, c.weights, 1, 10, 5, c.order); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
