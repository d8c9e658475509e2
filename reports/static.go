package reports

import (
	"bytes"
	"image/color"
	"math"
	"regexp"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	figureWidth = 16.5 * vg.Centimeter
	plotHeight  = 9.4 * vg.Centimeter // without the legend, which adds its own
	figureDPI   = 200
)

var (
	sans      = font.Font{Typeface: "Liberation", Variant: "Sans"}
	gridColor = color.Gray{0xDD}
	axisColor = color.Gray{0x55}
	inkColor  = color.Gray{0x22}
)

func init() { plot.DefaultFont = sans }

// png draws f at 200 dots per inch.
func (f Figure) png() ([]byte, error) {
	c := vgimg.NewWith(vgimg.UseWH(figureWidth, plotHeight+f.legend().height()), vgimg.UseDPI(figureDPI))
	f.draw(draw.New(c))
	var b bytes.Buffer
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(&b)
	return b.Bytes(), err
}

// picture is f in a format, svg or png.
func (f Figure) picture(format string) ([]byte, error) {
	if format == "svg" {
		return f.svg()
	}
	return f.png()
}

// svg draws f; fonts are named, not embedded, with common ones to fall back on.
func (f Figure) svg() ([]byte, error) {
	c := vgsvg.New(figureWidth, plotHeight+f.legend().height())
	f.draw(draw.New(c))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return nil, err
	}
	return bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;")), nil
}

var svgProlog = regexp.MustCompile(`(?s)^.*?<svg width="[^"]*" height="[^"]*"`)

// inlineSVG is svg as an element of a page, as wide as its box.
func (f Figure) inlineSVG() (string, error) {
	b, err := f.svg()
	return string(svgProlog.ReplaceAll(b, []byte(`<svg role="img" width="100%"`))), err
}

// draw lays out what figures of every kind have, around what the kind draws.
func (f Figure) draw(c draw.Canvas) {
	p := plot.New()
	p.BackgroundColor = color.White
	p.Title.Text = f.Title
	p.Title.TextStyle.Font.Size = 11
	p.Title.TextStyle.Color = inkColor
	p.Title.Padding = vg.Points(7)
	styleAxis(&p.X, f.X)
	styleAxis(&p.Y, f.Y)
	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = gridColor, gridColor
	if len(f.X.Names) > 0 {
		grid.Vertical.Width = 0
	}
	p.Add(grid)
	if f.Guide != nil {
		p.Add(guideLine{Guide{f.X.scaled(f.Guide.X), f.Guide.Label}})
	}
	f.kind().static(f, p)
	lo, hi := f.bounds(f.X, true)
	p.X.Min, p.X.Max = f.X.scaled(lo), f.X.scaled(hi)
	lo, hi = f.bounds(f.Y, false)
	p.Y.Min, p.Y.Max = f.Y.scaled(lo), f.Y.scaled(hi)

	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	legend := f.legend()
	p.Draw(draw.Crop(c, vg.Points(6), -vg.Points(14), legend.height()+vg.Points(6), -vg.Points(6)))
	legend.draw(draw.Crop(c, vg.Points(12), -vg.Points(12), vg.Points(5), 0))
}

func styleAxis(p *plot.Axis, a Axis) {
	p.Label.Text = a.String()
	p.Label.TextStyle.Font.Size = 10
	p.Label.TextStyle.Color = inkColor
	p.Label.Padding = vg.Points(4)
	p.Tick.Label.Font.Size = 9
	p.Tick.Label.Color = inkColor
	p.LineStyle.Color, p.Tick.LineStyle.Color = axisColor, axisColor
	p.Padding = 0
	var t plot.ConstantTicks
	for _, x := range a.Ticks {
		t = append(t, plot.Tick{Value: a.scaled(x.Value), Label: x.Label})
	}
	p.Tick.Marker = t
}

// scaled is where v stands along the axis. Log axes are drawn as linear axes of
// logarithms: plot.LogScale panics at zero and misplaces the axis title.
func (a Axis) scaled(v float64) float64 {
	if a.Log {
		return math.Log10(v)
	}
	return v
}

// scaled is the series where it stands along axes x and y.
func (s Series) scaled(x, y Axis) Series {
	pts := make([]Point, len(s.Points))
	for i, p := range s.Points {
		pts[i] = Point{x.scaled(p.X), y.scaled(p.Y), y.scaled(p.Lo), y.scaled(p.Hi)}
	}
	s.Points = pts
	return s
}

func (s Series) lineStyle() draw.LineStyle {
	l := draw.LineStyle{Color: s.color(), Width: vg.Points(1.5), Dashes: dashes[s.dash()].pattern}
	if s.Thin {
		l.Width, l.Dashes = vg.Points(0.6), nil
	}
	return l
}

// glyph has no radius for the faint line of one repetition.
func (s Series) glyph() draw.GlyphStyle {
	g := draw.GlyphStyle{Color: s.color(), Radius: vg.Points(3.2), Shape: markers[s.marker()].glyph}
	switch {
	case s.Thin && s.Line:
		g.Radius = 0
	case s.Thin:
		g.Radius = vg.Points(2.6)
	}
	return g
}

// guideLine draws a labelled vertical line over the height of the plot.
type guideLine struct{ Guide }

func (g guideLine) Plot(c draw.Canvas, p *plot.Plot) {
	x, _ := p.Transforms(&c)
	c.StrokeLine2(draw.LineStyle{Color: axisColor, Width: vg.Points(0.8), Dashes: dashes[1].pattern}, x(g.X), c.Min.Y, x(g.X), c.Max.Y)
	sty := draw.TextStyle{Font: font.From(sans, 8), Color: axisColor, Handler: plot.DefaultTextHandler, XAlign: draw.XLeft, YAlign: draw.YTop}
	c.FillText(sty, vg.Point{X: x(g.X) + 3, Y: c.Max.Y - 2}, g.Label)
}

// A legend is rows of entries under the plot, off the data.
type legend struct {
	style draw.TextStyle
	rows  [][]legendEntry
}

type legendEntry struct {
	Series
	x vg.Length
}

const (
	legendThumb = vg.Length(26)
	legendRow   = vg.Length(15)
	legendGap   = vg.Length(16)
)

func (f Figure) legend() legend {
	const width = figureWidth - 24
	k := legend{style: draw.TextStyle{Font: font.From(sans, 9.5), Color: inkColor, Handler: plot.DefaultTextHandler}}
	if f.NoLegend {
		return k
	}
	var x vg.Length
	for _, s := range f.Series {
		if s.Thin || s.Name == "" {
			continue
		}
		for n := len([]rune(s.Name)); n > 1 && legendThumb+5+k.style.Width(s.Name) > width; n-- {
			s.Name = shorten(s.Name, n-1)
		}
		w := legendThumb + 5 + k.style.Width(s.Name)
		if len(k.rows) == 0 || x+w > width && x > 0 {
			k.rows = append(k.rows, nil)
			x = 0
		}
		last := len(k.rows) - 1
		k.rows[last] = append(k.rows[last], legendEntry{s, x})
		x += w + legendGap
	}
	return k
}

func (k legend) height() vg.Length { return legendRow * vg.Length(len(k.rows)) }

func (k legend) draw(c draw.Canvas) {
	for i, row := range k.rows {
		y := c.Min.Y + legendRow*(vg.Length(len(k.rows)-1-i)+0.5)
		for _, e := range row {
			x := c.Min.X + e.x
			if e.Line {
				c.StrokeLine2(e.lineStyle(), x, y, x+legendThumb, y)
			}
			c.DrawGlyphNoClip(e.glyph(), vg.Point{X: x + legendThumb/2, Y: y})
			sty := k.style
			sty.YAlign = draw.YCenter
			c.FillText(sty, vg.Point{X: x + legendThumb + 5, Y: y}, e.Name)
		}
	}
}
