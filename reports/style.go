package reports

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// The palette of Okabe and Ito (2008), without yellow, which is too light for
// lines on white.
var palette = []color.NRGBA{
	{0x00, 0x72, 0xB2, 0xFF}, // blue
	{0xD5, 0x5E, 0x00, 0xFF}, // vermilion
	{0x00, 0x9E, 0x73, 0xFF}, // bluish green
	{0xCC, 0x79, 0xA7, 0xFF}, // reddish purple
	{0xE6, 0x9F, 0x00, 0xFF}, // orange
	{0x56, 0xB4, 0xE9, 0xFF}, // sky blue
	{0x00, 0x00, 0x00, 0xFF}, // black
}

// markers pairs the glyph of gonum/plot with the symbol of ECharts.
var markers = []struct {
	glyph  draw.GlyphDrawer
	symbol string
}{
	{draw.CircleGlyph{}, "circle"},
	{draw.BoxGlyph{}, "rect"},
	{draw.PyramidGlyph{}, "triangle"},
	{diamond{}, "diamond"},
	{draw.RingGlyph{}, "emptyCircle"},
	{draw.SquareGlyph{}, "emptyRect"},
	{draw.TriangleGlyph{}, "emptyTriangle"},
}

// dashes pairs the pattern of gonum/plot with the line type of ECharts.
var dashes = []struct {
	pattern []vg.Length
	name    string
}{
	{nil, "solid"},
	{[]vg.Length{vg.Points(6), vg.Points(3)}, "dashed"},
	{[]vg.Length{vg.Points(1.5), vg.Points(2.5)}, "dotted"},
}

func (s Series) color() color.NRGBA {
	c := palette[s.Index%len(palette)]
	if s.Thin {
		c.A = 0x70
	}
	return c
}

// cssColor is the colour for a page.
func (s Series) cssColor() string {
	c := s.color()
	return fmt.Sprintf("rgba(%d,%d,%d,%.2f)", c.R, c.G, c.B, float64(c.A)/255)
}

// marker and dash run through different periods, so that two series of one
// colour still differ.
func (s Series) marker() int { return (s.Index + s.Variant) % len(markers) }

func (s Series) dash() int {
	return (s.Index + s.Index/len(palette) + s.Variant) % len(dashes)
}

// diamond is a filled glyph that gonum/plot lacks.
type diamond struct{}

func (diamond) DrawGlyph(c *draw.Canvas, sty draw.GlyphStyle, pt vg.Point) {
	c.SetColor(sty.Color)
	r := sty.Radius * 1.2
	var p vg.Path
	p.Move(vg.Point{X: pt.X, Y: pt.Y + r})
	p.Line(vg.Point{X: pt.X + r, Y: pt.Y})
	p.Line(vg.Point{X: pt.X, Y: pt.Y - r})
	p.Line(vg.Point{X: pt.X - r, Y: pt.Y})
	p.Close()
	c.Fill(p)
}
