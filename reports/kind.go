package reports

import (
	"cmp"

	"github.com/go-echarts/go-echarts/v2/charts"
	"gonum.org/v1/plot"
)

// A figureKind draws the series of a finished figure, in a picture and on a
// page. All else is the same for all kinds: the axes with their ticks, the
// title, the guide, the legend and the colours.
type figureKind struct {
	// static adds the series to the plot, whose coordinates are those that
	// Axis.scaled gives.
	static func(f Figure, p *plot.Plot)
	// live is the series for ECharts, in the figure's own coordinates. Every
	// string is a token of words; values are x, y, and where there is an
	// interval its low and high end.
	live func(f Figure, words *chartTexts) []charts.Overlaper
}

var figureKinds = map[string]figureKind{}

// registerKind makes a kind known to figures that name it.
func registerKind(name string, k figureKind) {
	if _, known := figureKinds[name]; known {
		panic("reports: kind of figure " + name + " is registered twice")
	}
	figureKinds[name] = k
}

// kind is how the figure is drawn.
func (f Figure) kind() figureKind {
	k, known := figureKinds[cmp.Or(f.Kind, lines)]
	if !known {
		panic("reports: figure " + f.Name + " is of the unknown kind " + f.Kind)
	}
	return k
}
