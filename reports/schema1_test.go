package reports

import (
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"workbench/experiments/record"
)

// TestSchema1 renders 38 lines of a smoke run of the article that were written
// before schema 2. What it should say was computed from the lines by hand.
func TestSchema1(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("testdata/schema1")); err != nil {
		t.Fatal(err)
	}
	files := render(t, dir, "csv", "html", "md")
	v, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	n := v.notebook()
	var verdicts []string
	for _, j := range n.Judgements {
		verdicts = append(verdicts, j.ID+" "+j.Verdict)
	}
	if want := []string{"memory holds", "time not decided", "energy not decided", "window not decided", "modes holds", "memories not decided", "transformer not decided", "scaling not measured yet"}; !slices.Equal(verdicts, want) {
		t.Errorf("verdicts %q, want %q", verdicts, want)
	}
	for _, c := range []drawn{
		{"speed-decode-time", "rwkv4", 64, 5.87809375}, {"speed-decode-time", "transformer", 256, 9.9089609375},
		{"speed-prefill", "rwkv4", 16, 482788.1202533742}, {"speed-prefill", "transformer", 256, 250902.8920662435},
		{"speed-train-speed", "rwkv4", 128, 94524.58931650598}, {"speed-state", "rwkv4", 64, 1.25}, {"speed-state", "transformer", 256, 128},
		{"speed-peak-rss", "rwkv4", 256, 18173952.0 / (1 << 20)}, {"quality-final-val-bits-per-byte", "rwkv4", 0, (4.671938984085472 + 4.677590698238306) / 2},
	} {
		if got := c.in(n); math.Abs(got/c.y-1) > 1e-12 || math.IsNaN(got) {
			t.Errorf("%s, %s at %g: %g, want %g", c.figure, c.arm, c.x, got, c.y)
		}
	}
	inf := math.Inf(1)
	for claim, want := range map[string][][3]float64{ // statistic and interval of every rule
		"memory":      {{0, 0, 0}, {1, 1, 1}},
		"time":        {{0.5751875525136159, -inf, inf}, {0.82377401894496, -inf, inf}},
		"window":      {{0.01528070085301625, -inf, inf}},
		"modes":       {{4.750191348884454e-7, 4.750191348884454e-7, 4.750191348884454e-7}},
		"transformer": {{-0.47753800729035945, -inf, inf}},
	} {
		i := slices.IndexFunc(v.run.Claims, func(c record.Claim) bool { return c.ID == claim })
		for j, w := range want {
			iv := v.find(v.run.Claims[i].Rules[j]).iv
			for k, got := range []float64{iv.mid, iv.lo, iv.hi} {
				if got != w[k] && !(math.Abs(got-w[k]) < 1e-8) {
					t.Errorf("%s: %g [%g, %g], want %g", claim, iv.mid, iv.lo, iv.hi, w)
					break
				}
			}
		}
	}
	for _, want := range []string{"not decided on this machine: no measured energy per token (no RAPL counters in ", "not decided (rounds of one start are no repetitions)", "not decided (needs 6 seeds among 3 claims)", "<td class=\"t\">depth 1024</td>", "24109cbe864697e217eaa2ff5c6c3d3ec6bbe56bec1cdc25aedcfbae09382137"} {
		if !strings.Contains(string(files["report.html"]), want) {
			t.Errorf("the report lacks %q", want)
		}
	}
}

// drawn is a point of a figure.
type drawn struct {
	figure, arm string
	x, y        float64
}

// in is the height at which a notebook draws the point, NaN where it does not.
func (d drawn) in(n *Notebook) float64 {
	for _, f := range n.figures() {
		for _, s := range f.Series {
			for _, p := range s.Points {
				if f.Name == d.figure && s.Name == d.arm && p.X == d.x {
					return p.Y
				}
			}
		}
	}
	return math.NaN()
}
