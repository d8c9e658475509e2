package reports

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-echarts/go-echarts/v2/charts"
	"github.com/go-echarts/go-echarts/v2/opts"

	"workbench/arch/files"
)

// The one script that a report may inline: Apache ECharts, the full build,
// since error bars are custom series. web/install.sh puts it into the cache.
const (
	echartsFile   = "echarts-6.1.0.min.js"
	echartsSHA256 = "b66b25aeb4df84e33199dc21694014d336d222cbd9deb0e5a7c14bd6aa0d0fd0"
)

// echarts returns the script from the user's cache, "" when it is absent or is
// not the expected one: then figures are static.
func echarts() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	b, err := files.Read(filepath.Join(dir, "workbench", echartsFile), 16<<20)
	if err != nil {
		return ""
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != echartsSHA256 {
		return ""
	}
	return string(b)
}

// chartTexts keeps every string from records out of go-echarts, which would take
// its __f__ marker in a name for the start of JavaScript: options carry a
// token, and insert puts the strings back as escaped JSON.
type chartTexts []string

func (t *chartTexts) token(s string) string {
	*t = append(*t, s)
	return fmt.Sprintf("@%d@", len(*t)-1)
}

var tokens = regexp.MustCompile(`["']@(\d+)@["']`)

// insert replaces the tokens of a script. JSON with HTML escapes holds no <, >
// or &, nor a line separator.
func (t chartTexts) insert(script string) (string, error) {
	var failed error
	out := tokens.ReplaceAllStringFunc(script, func(m string) string {
		i, err := strconv.Atoi(m[2 : len(m)-2])
		if err != nil || i >= len(t) {
			failed = fmt.Errorf("reports: chart option names text %s", m)
			return `""`
		}
		b, err := json.Marshal(t[i])
		if err != nil {
			failed = err
		}
		return string(b)
	})
	return out, failed
}

// live is f as an ECharts element and script; id is unique on the page.
func (f Figure) live(id string) (element, script string, err error) {
	var words chartTexts
	chart := charts.NewLine() // an empty one, which takes series of every type
	chart.Accept(axes{f: f, words: &words})
	chart.SetGlobalOptions(
		charts.WithInitializationOpts(opts.Initialization{ChartID: id, Width: "100%", Height: "440px", Renderer: "svg", Theme: "white"}),
		charts.WithAnimation(false))
	chart.Overlap(f.kind().live(f, &words)...)
	for i := range chart.MultiSeries {
		chart.MultiSeries[i].Animation = opts.Bool(false)
	}
	snippet := chart.RenderSnippet()
	body := snippet.Script
	body = body[strings.Index(body, ">")+1 : strings.LastIndex(body, "</script>")]
	script, err = words.insert(body)
	return snippet.Element, script, err
}

// tooltipJS names the series, the point and its interval. Names pass ECharts'
// own HTML escape.
const tooltipJS = `function (p) {
	var n = function (x) { return Number(x.toPrecision(4)).toString(); }, v = p.value;
	var s = echarts.format.encodeHTML(p.seriesName) + ': ' + n(v[1]);
	if (v[3] > v[2]) { s += ' [' + n(v[2]) + ', ' + n(v[3]) + ']'; }
	return s + ' at ' + n(v[0]);
}`

// axes replaces what go-echarts cannot say: labelled ticks at given values, a
// legend of named series, a vertical guide.
type axes struct {
	charts.BaseConfigurationVisitor
	f     Figure
	words *chartTexts
}

func (a axes) axis(x Axis, isX bool) map[string]any {
	lo, hi := a.f.bounds(x, isX)
	var at []float64
	var labels []string
	for _, t := range x.Ticks {
		at = append(at, t.Value)
		// Note: go-echarts keeps functions in JSON, which would escape ".
		labels = append(labels, fmt.Sprintf("'%s':'%s'", tickKey(t.Value), a.words.token(t.Label)))
	}
	kind := "value"
	if x.Log {
		kind = "log"
	}
	gap := 34
	if !isX {
		gap = 58
	}
	return map[string]any{"type": kind, "min": lo, "max": hi, "name": a.words.token(x.String()), "nameLocation": "middle", "nameGap": gap,
		"nameTextStyle": map[string]any{"color": "#222", "fontSize": 13}, "axisLine": map[string]any{"show": true, "onZero": false, "lineStyle": map[string]any{"color": "#555"}},
		"splitLine": map[string]any{"show": !isX || len(x.Names) == 0, "lineStyle": map[string]any{"color": "#ddd"}},
		"minorTick": map[string]any{"show": false},
		"axisTick":  map[string]any{"show": true, "customValues": at},
		"axisLabel": map[string]any{"color": "#222", "margin": 11, "customValues": at, "hideOverlap": true,
			"formatter": opts.FuncOpts(`function (v) { var l = {` + strings.Join(labels, ",") + `}; return l[v.toPrecision(6)] || ''; }`)}}
}

// tickKey is JavaScript's v.toPrecision(6).
func tickKey(v float64) string {
	s := strconv.FormatFloat(v, 'e', 5, 64)
	mant, exp, _ := strings.Cut(s, "e")
	e, _ := strconv.Atoi(exp)
	if e < -6 || e >= 6 {
		return fmt.Sprintf("%se%+d", mant, e)
	}
	return strconv.FormatFloat(v, 'f', 5-e, 64)
}

// VisitXAxis puts the figure's own axis in place of go-echarts'.
func (a axes) VisitXAxis([]opts.XAxis) any { return a.axis(a.f.X, true) }

// VisitYAxis puts the figure's own axis in place of go-echarts'.
func (a axes) VisitYAxis([]opts.YAxis) any { return a.axis(a.f.Y, false) }

// VisitTitleOpt centres the title.
func (a axes) VisitTitleOpt(opts.Title) any {
	return map[string]any{"text": a.words.token(a.f.Title), "left": "center", "top": 4,
		"textStyle": map[string]any{"fontSize": 15, "fontWeight": "normal", "color": "#222"}}
}

// VisitTooltipOpt shows one point at a time.
func (a axes) VisitTooltipOpt(opts.Tooltip) any {
	return map[string]any{"trigger": "item", "formatter": opts.FuncOpts(tooltipJS), "confine": true}
}

// VisitLegendOpt names every series once, under the plot.
func (a axes) VisitLegendOpt(opts.Legend) any {
	data := []string{}
	for _, s := range a.f.Series {
		if !s.Thin {
			data = append(data, a.words.token(s.Name))
		}
	}
	return map[string]any{"show": !a.f.NoLegend, "data": data, "bottom": 0, "type": "scroll", "itemWidth": 34, "textStyle": map[string]any{"color": "#222"}}
}

// Visit sets the margins and the guide.
func (a axes) Visit(chart map[string]any) {
	chart["grid"] = map[string]any{"left": 78, "right": 24, "top": 40, "bottom": 84}
	if a.f.NoLegend {
		chart["grid"] = map[string]any{"left": 78, "right": 24, "top": 40, "bottom": 64}
	}
	chart["backgroundColor"] = "#fff"
	chart["textStyle"] = map[string]any{"fontFamily": "Liberation Sans, Arial, Helvetica, sans-serif"}
	g := a.f.Guide
	series, ok := chart["series"].(charts.MultiSeries)
	if g == nil || !ok || len(series) == 0 {
		return
	}
	series[0].MarkLines = &opts.MarkLines{Data: []any{map[string]any{"xAxis": g.X, "name": a.words.token(g.Label)}},
		MarkLineStyle: opts.MarkLineStyle{Symbol: []string{"none", "none"},
			Label:     &opts.Label{Show: opts.Bool(true), Formatter: "{b}", Color: "#555"},
			LineStyle: &opts.LineStyle{Color: "#555", Type: "dashed"}}}
}
