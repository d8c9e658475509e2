package reports

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/png"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

var update = flag.Bool("update", false, "write the pictures in testdata anew")

// examples is a figure of every kind, by the kind's name.
var examples = map[string]func() Figure{lines: linesExample, "bars": barsExample}

// linesExample has all that a figure of lines may have: both axes, intervals,
// faint lines, a guide, and points that have no place.
func linesExample() Figure {
	return Figure{Name: "decode-time", Title: "Time per token",
		X:     Axis{Label: "Context already read", Unit: "tokens", Log: true},
		Y:     Axis{Label: "Time per token", Unit: "ms/token", Zero: true},
		Guide: &Guide{X: 1024, Label: "trained on"},
		Series: []Series{
			{Name: "rwkv4, seed 1", Thin: true, Line: true, Points: []Point{{256, 1.1, 1.1, 1.1}, {1024, 0.9, 0.9, 0.9}, {4096, 1, 1, 1}}},
			{Name: "rwkv4", Line: true, Points: []Point{{0, 1, 1, 1}, {256, 1, 0.9, 1.1}, {1024, 1, 0.95, 1.05}, {4096, 1, 0.9, 1.15}}},
			{Name: "transformer", Index: 1, Line: true, Points: []Point{{0, 0.8, 0.8, 0.8}, {256, 0.9, 0.9, 0.9}, {1024, 1.3, 1.2, 1.4}, {4096, 2.8, 2.7, 3}}},
			{Name: "rnn", Index: 2, Points: []Point{{256, 0.3, 0.2, 0.4}, {4096, 0.3, 0.3, 0.3}}},
		}}
}

// ExampleFigure is the figure that testdata/lines.svg and lines.png show. What
// has no place on its axes is not drawn, and the note says so.
func ExampleFigure() {
	f := linesExample().finish()
	fmt.Println(f.X, "against", f.Y)
	for _, s := range f.Series {
		fmt.Println(s.Name, s.Points)
	}
	fmt.Println(f.Note)
	// Output:
	// Context already read (tokens) against Time per token (ms/token)
	// rwkv4, seed 1 [{256 1.1 1.1 1.1} {1024 0.9 0.9 0.9} {4096 1 1 1}]
	// rwkv4 [{256 1 0.9 1.1} {1024 1 0.95 1.05} {4096 1 0.9 1.15}]
	// transformer [{256 0.9 0.9 0.9} {1024 1.3 1.2 1.4} {4096 2.8 2.7 3}]
	// rnn [{256 0.3 0.2 0.4} {4096 0.3 0.3 0.3}]
	// Not drawn: 2 points where context already read is 0, which has no place on a log axis.
}

// TestFiguresAreGolden: the example of every kind of figure is drawn as it is
// in testdata.
func TestFiguresAreGolden(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(figureKinds)) {
		example := examples[name]
		if example == nil {
			t.Errorf("the kind %s has no example", name)
			continue
		}
		f := example().finish()
		for format, same := range map[string]func(got, want []byte) error{"svg": sameBytes, "png": samePicture} {
			got, err := f.picture(format)
			if err != nil {
				t.Fatal(err)
			}
			path := filepath.Join("testdata", name+"."+format)
			if *update {
				if err := os.WriteFile(path, small(t, got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(want) > 60_000 {
				t.Errorf("%s has %d bytes", path, len(want))
			}
			if err := same(got, want); err != nil {
				t.Errorf("%s: %v (go test -run Golden -update ./reports writes it anew: look at it)", path, err)
			}
		}
	}
}

// small packs a PNG as well as can be; other pictures stay as they are.
func small(t *testing.T, b []byte) []byte {
	img, err := png.Decode(bytes.NewReader(b))
	if err != nil {
		return b
	}
	var out bytes.Buffer
	if err := (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&out, img); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func sameBytes(got, want []byte) error {
	if !bytes.Equal(got, want) {
		i := 0
		for i < min(len(got), len(want)) && got[i] == want[i] {
			i++
		}
		return fmt.Errorf("it is drawn otherwise from byte %d on: %.60q, not %.60q", i, got[i:], want[i:])
	}
	return nil
}

// samePicture compares dots, for the packing of a PNG may change.
func samePicture(got, want []byte) error {
	a, err := png.Decode(bytes.NewReader(got))
	if err != nil {
		return err
	}
	b, err := png.Decode(bytes.NewReader(want))
	if err != nil {
		return err
	}
	if a.Bounds() != b.Bounds() {
		return fmt.Errorf("it is drawn in %v, not %v", a.Bounds(), b.Bounds())
	}
	off := 0
	for y := range a.Bounds().Max.Y {
		for x := range a.Bounds().Max.X {
			if differ(a, b, x, y) {
				off++
			}
		}
	}
	if off > 0 {
		return fmt.Errorf("%d dots have another colour", off)
	}
	return nil
}

// differ tells whether a dot differs by more than rounding at an edge.
func differ(a, b image.Image, x, y int) bool {
	const rounding = 3 << 8
	r1, g1, b1, _ := a.At(x, y).RGBA()
	r2, g2, b2, _ := b.At(x, y).RGBA()
	return max(r1, r2)-min(r1, r2) > rounding || max(g1, g2)-min(g1, g2) > rounding || max(b1, b2)-min(b1, b2) > rounding
}
