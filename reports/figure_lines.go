package reports

import (
	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// lines is the kind of figures that do not name one: points with their
// intervals, joined where the series is a line.
const lines = "lines"

func init() { registerKind(lines, figureKind{static: staticLines, live: liveLines}) }

func staticLines(f Figure, p *plot.Plot) {
	for _, s := range f.Series {
		s.scaled(f.X, f.Y).addTo(p)
	}
}

func liveLines(f Figure, words *chartTexts) (series []charts.Overlaper) {
	// Note: the legend takes the style of the first series of a name.
	for _, thin := range []bool{false, true} {
		for _, s := range f.Series {
			if s.Thin == thin {
				series = append(series, s.live(words)...)
			}
		}
	}
	return series
}

// addTo draws intervals below lines below markers.
func (s Series) addTo(p *plot.Plot) {
	p.Add(errorBars{s})
	if s.Line && len(s.Points) > 1 {
		p.Add(&plotter.Line{XYs: s.xys(), LineStyle: s.lineStyle()})
	}
	if g := s.glyph(); g.Radius > 0 {
		p.Add(&plotter.Scatter{XYs: s.xys(), GlyphStyle: g})
	}
}

func (s Series) xys() plotter.XYs {
	xy := make(plotter.XYs, len(s.Points))
	for i, p := range s.Points {
		xy[i].X, xy[i].Y = p.X, p.Y
	}
	return xy
}

// errorBars draws the interval of every point that has one.
type errorBars struct{ Series }

func (e errorBars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	sty := draw.LineStyle{Color: e.color(), Width: vg.Points(1)}
	const cap = 3
	for _, pt := range e.Points {
		if pt.Hi <= pt.Lo {
			continue
		}
		px, lo, hi := x(pt.X), y(pt.Lo), y(pt.Hi)
		c.StrokeLine2(sty, px, lo, px, hi)
		c.StrokeLine2(sty, px-cap, lo, px+cap, lo)
		c.StrokeLine2(sty, px-cap, hi, px+cap, hi)
	}
}

// live is the series with the intervals of its points, as series of ECharts.
func (s Series) live(words *chartTexts) []charts.Overlaper {
	line := charts.NewLine()
	color := s.cssColor()
	name := words.token(s.Name)
	var data []opts.LineData
	var bars []opts.CustomData
	for _, p := range s.Points {
		data = append(data, opts.LineData{Value: []float64{p.X, p.Y, p.Lo, p.Hi}})
		if p.Hi > p.Lo {
			bars = append(bars, opts.CustomData{Value: []float64{p.X, p.Lo, p.Hi}})
		}
	}
	line.AddSeries(name, data, charts.WithSeriesOpts(func(o *charts.SingleSeries) {
		o.Color = color
		o.ItemStyle = &opts.ItemStyle{Color: color}
		o.LineStyle = &opts.LineStyle{Color: color, Width: 2, Type: dashes[s.dash()].name}
		o.Symbol, o.SymbolSize, o.ShowSymbol = markers[s.marker()].symbol, 8, opts.Bool(true)
		if s.Thin {
			o.LineStyle.Width, o.LineStyle.Type = 0.8, "solid"
			o.SymbolSize = 5
		}
		if s.Thin && s.Line {
			o.Symbol = "none"
		}
		if !s.Line {
			o.LineStyle.Opacity = opts.Float(0)
		}
	}))
	if len(bars) == 0 {
		return []charts.Overlaper{line}
	}
	custom := charts.NewCustom()
	custom.AddSeries(name, bars, charts.WithCustomChartOpts(opts.CustomChart{RenderItem: opts.FuncOpts(errorBarJS)}),
		charts.WithSeriesOpts(func(o *charts.SingleSeries) {
			o.ItemStyle = &opts.ItemStyle{Color: color, BorderColor: color}
		}))
	return []charts.Overlaper{line, custom}
}

const errorBarJS = `function (params, api) {
	var lo = api.coord([api.value(0), api.value(1)]), hi = api.coord([api.value(0), api.value(2)]);
	var style = {stroke: api.visual('color'), lineWidth: 1.2, fill: null};
	var part = function (x1, y1, x2, y2) { return {type: 'line', shape: {x1: x1, y1: y1, x2: x2, y2: y2}, style: style}; };
	return {type: 'group', silent: true, children: [part(lo[0], lo[1], hi[0], hi[1]),
		part(lo[0] - 4, lo[1], lo[0] + 4, lo[1]), part(hi[0] - 4, hi[1], hi[0] + 4, hi[1])]};
}`
