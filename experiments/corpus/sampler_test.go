package corpus

import (
	"slices"
	"strings"
	"testing"
)

func batch(t *testing.T, data []byte, B, T int, seed uint64, step int) (tok, targets []int32) {
	t.Helper()
	s, err := Windows(data, B, T, seed)
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
	s, err := Windows(data, 3, 32, 5)
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
	s, err := Windows(make([]byte, 20), 4, 10, 3)
	if err != nil {
		t.Fatal(err)
	}
	var seen [10]int // the last window starts at 20-11
	for step := range 5000 {
		for row := range 4 {
			seen[s.offset(step, row)]++
		}
	}
	for at, n := range seen {
		if n < 1800 || n > 2200 {
			t.Errorf("offset %d drawn %d times of 20000, expected about 2000", at, n)
		}
	}
}

func TestWindowsNeedText(t *testing.T) {
	if _, err := Windows(make([]byte, 11), 1, 10, 0); err != nil {
		t.Errorf("exactly one window: %v", err)
	}
	for _, c := range []struct {
		bytes, B, T int
		want        string
	}{{10, 1, 10, "needs 11"}, {0, 1, 1, "0 bytes"}, {9, 0, 1, "at least 1"}, {9, 1, 0, "at least 1"}} {
		if _, err := Windows(make([]byte, c.bytes), c.B, c.T, 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v", c, err)
		}
	}
}
