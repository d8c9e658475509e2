package reports

import (
	"bytes"
	"image/png"
	"strings"
	"testing"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// A kind of figure is a file: this is one, with a section that shows it.
func init() {
	registerKind("bars", figureKind{static: staticBars, live: liveBars})
	registerSection("podium", 76, func(v *view, part *partView) []Block {
		if !part.has("toy") {
			return nil
		}
		f := part.axisFigure("podium", "Balls on the podium", "toy", part.quantity(drops.Name))
		f.Kind = "bars"
		return []Block{{Heading: "Podium", Figure: &f}}
	})
}

// bars draws a rectangle from zero to every point.
type bars struct{ Series }

const barWidth = 12

func (b bars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for _, pt := range b.Points {
		left, foot, top := x(pt.X)+vg.Points(barWidth*(float64(b.Index)-0.5)), y(0), y(pt.Y)
		c.FillPolygon(b.color(), []vg.Point{{X: left, Y: foot}, {X: left + barWidth, Y: foot}, {X: left + barWidth, Y: top}, {X: left, Y: top}})
	}
}

func staticBars(f Figure, p *plot.Plot) {
	for _, s := range f.Series {
		p.Add(bars{s.scaled(f.X, f.Y)})
	}
}

func liveBars(f Figure, words *chartTexts) (series []charts.Overlaper) {
	for _, s := range f.Series {
		var data []opts.BarData
		for _, p := range s.Points {
			data = append(data, opts.BarData{Value: []float64{p.X, p.Y, p.Lo, p.Hi}})
		}
		series = append(series, charts.NewBar().AddSeries(words.token(s.Name), data, charts.WithItemStyleOpts(opts.ItemStyle{Color: s.cssColor()})))
	}
	return series
}

func barsExample() Figure {
	s := []Series{{Name: "deft", Points: []Point{{1, 1, 1, 1}, {2, 2, 2, 2}}}, {Name: "clumsy", Index: 1, Points: []Point{{1, 3, 3, 3}, {2, 6, 6, 6}}}}
	return Figure{Name: "drops", Title: "Balls dropped", Kind: "bars", X: Axis{Label: "Balls in the air", Names: []string{"none", "one", "two"}},
		Y: Axis{Label: "Balls dropped", Unit: "drops", Zero: true}, Series: s}
}

// TestKindThatNobodyKnows: a registered kind draws its figures in the pictures
// and on the page, and a section with one stands in the page and the Markdown.
func TestKindThatNobodyKnows(t *testing.T) {
	m := juggling()
	files := render(t, m.save(t), "md", "png", "svg")
	if !strings.Contains(string(files["report.md"]), "![Balls on the podium](figures/ring-podium.svg)") {
		t.Error("the Markdown lacks the figure")
	}
	img, err := png.Decode(bytes.NewReader(files["figures/ring-podium.png"]))
	if err != nil {
		t.Fatal(err)
	}
	inked := 0 // dots of the second arm's colour
	for y := range img.Bounds().Max.Y {
		for x := range img.Bounds().Max.X {
			if red, green, blue, _ := img.At(x, y).RGBA(); [3]uint32{red >> 8, green >> 8, blue >> 8} == [3]uint32{0xD5, 0x5E, 0x00} {
				inked++
			}
		}
	}
	if inked < 20_000 {
		t.Errorf("the PNG has %d dots of bars", inked)
	}
	if n := strings.Count(string(files["figures/ring-podium.svg"]), `Z" style="fill:#D55E00`); n < 4 {
		t.Errorf("the SVG has %d bars, want 4 and the legend's mark", n)
	}
	page, err := newView(m.run, m.recs).notebook().html("a script")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(page), `"type":"bar"`); n != 2 || !strings.Contains(string(page), "<h3>Podium</h3>") {
		t.Errorf("the page has %d series of bars, want 2", n)
	}
}

// TestKindsAreNamedOnce: a kind has a name of its own, and a figure one that
// is known.
func TestKindsAreNamedOnce(t *testing.T) {
	for want, f := range map[string]func(){
		"reports: kind of figure bars is registered twice": func() { registerKind("bars", figureKind{}) },
		"reports: figure drops is of the unknown kind pie": func() { f := barsExample(); f.Kind = "pie"; f.finish() },
	} {
		func() {
			defer func() {
				if p := recover(); p != want {
					t.Errorf("recovered %v, want %s", p, want)
				}
			}()
			f()
		}()
	}
}
