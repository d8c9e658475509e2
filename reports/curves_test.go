package reports

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestCurves(t *testing.T) {
	dir := t.TempDir()
	runs := []Curve{
		{"rwkv4", []int{0, 10, 20}, []float64{8, 3, 2}}, {"rwkv4", []int{0, 10, 20}, []float64{8, 3.2, 2.1}},
		{"rnn", []int{0, 20}, []float64{8, 2.5}},
	}
	for _, format := range []string{"svg", "png"} {
		path, err := Curves(dir, format, runs)
		if err != nil {
			t.Fatal(err)
		}
		one, _ := os.ReadFile(path)
		if _, err := Curves(dir, format, runs); err != nil {
			t.Fatal(err)
		}
		if again, _ := os.ReadFile(path); len(one) == 0 || !bytes.Equal(one, again) {
			t.Errorf("%s: drawing twice gives other bytes", format)
		}
		if format == "svg" && (!strings.Contains(string(one), "rwkv4") || !strings.Contains(string(one), "Held-out loss (bits per byte)")) {
			t.Error("the picture lacks a name or a unit")
		}
	}
	runs[1].Step = []int{0, 10, 21}
	if _, err := Curves(dir, "png", runs); err == nil || !strings.Contains(err.Error(), "different steps") {
		t.Errorf("different steps: %v", err)
	}
}
