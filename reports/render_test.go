package reports

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"workbench/experiments/record"
)

// render writes the formats, all without any, and returns every file by its
// path within dir.
func render(t *testing.T, dir string, formats ...string) map[string][]byte {
	t.Helper()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	if formats == nil {
		formats = Formats()
	}
	if _, err := Render(dir, formats); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		rel, _ := filepath.Rel(dir, path)
		files[filepath.ToSlash(rel)] = b
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestRenderTwiceGivesTheSameBytes(t *testing.T) {
	dir := newMaker().save(t)
	first, second := render(t, dir), render(t, dir)
	if len(first) != len(second) || len(first) < 60 {
		t.Fatalf("%d files, then %d", len(first), len(second))
	}
	checkFiles(t, first)
	for name, b := range first {
		if !bytes.Equal(b, second[name]) {
			t.Errorf("%s differs between two renderings", name)
		}
		if strings.Contains(filepath.Base(name), ".tmp") || strings.HasPrefix(filepath.Base(name), ".") {
			t.Errorf("%s is left behind", name)
		}
	}
}

// checkFiles reads every figure and table back.
func checkFiles(t *testing.T, files map[string][]byte) {
	t.Helper()
	figures := 0
	for name, b := range files {
		switch filepath.Ext(name) {
		case ".svg":
			figures++
			wellFormed(t, name, b)
		case ".png":
			c, err := png.DecodeConfig(bytes.NewReader(b))
			if err != nil || c.Width < 1200 || c.Height < 700 {
				t.Errorf("%s: %v, %d by %d points", name, err, c.Width, c.Height)
			}
		case ".csv":
			if _, err := csv.NewReader(bytes.NewReader(b)).ReadAll(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
	if figures != 15 {
		t.Errorf("%d figures, want 15", figures)
	}
}

func TestReportHoldsTogether(t *testing.T) {
	files := render(t, newMaker().save(t), "html")
	html := string(files["report.html"])
	for _, want := range []string{
		"<h1>RWKV-4 against a transformer and an RNN</h1>", "0123abcd", "17m0s", ">quick<",
		"A second process of the baseline is not told from the first (p = ",
		`<span class="v holds">holds</span><span>At the largest depth RWKV is faster`,
		`<span class="v fails">fails</span><span>RWKV is as fast as an RNN`,
		"not decided on this machine: no measured energy per token (no powercap tree on this machine)", "not measured yet (this machine is too small)",
		"(no control)",
		"Energy per token, measured: not measured on this machine. No powercap tree on this machine.",
		"Energy per token, estimated (decode)", "It ranks exactly as time does",
		"Computed, not measured", "cost: depth 32768 would take 40 minutes",
		"depth 16384", "no record: the run did not come to it", "out of memory",
		"workbench run article --profile quick --seed 7", "name: article", "ab12", "one core is shared",
		"@media print", `<meta name="viewport"`, "points where context already read is 0",
	} {
		if !strings.Contains(html, want) {
			t.Errorf("report.html lacks %q", want)
		}
	}
	ids := map[string]bool{}
	for _, m := range regexp.MustCompile(` id="([^"]+)"`).FindAllStringSubmatch(html, -1) {
		if ids[m[1]] {
			t.Errorf("id %q stands twice", m[1])
		}
		ids[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`href="#([^"]+)"`).FindAllStringSubmatch(html, -1) {
		if !ids[m[1]] {
			t.Errorf("the contents point to %q, which is nowhere", m[1])
		}
	}
	if m := regexp.MustCompile(`(?i)(src|href|xlink:href)="[^#"][^"]*"|url\(|@import`).FindString(html); m != "" {
		t.Errorf("report.html refers to something outside itself: %s", m)
	}
	if n := strings.Count(html, "<svg "); n != 15 {
		t.Errorf("%d pictures, want 15", n)
	}
	if strings.Contains(html, "ZgotmplZ") || strings.Contains(html, "NaN") || strings.Contains(html, "%!") {
		t.Error("report.html holds a formatting fault")
	}
}

func wellFormed(t *testing.T, name string, b []byte) {
	t.Helper()
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			return
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
	}
}

// TestFigureValuesAreTheRecords holds drawn numbers against the known answers.
func TestFigureValuesAreTheRecords(t *testing.T) {
	m := newMaker()
	n := newView(m.run, m.recs).notebook()
	byName := map[string]*Figure{}
	for _, f := range n.figures() {
		byName[f.Name] = f
	}
	time := byName["cost-decode-time"]
	if time.Y.Unit != "ms/token" || time.X.Unit != "tokens" {
		t.Fatalf("units %q, %q", time.X.Unit, time.Y.Unit)
	}
	for _, s := range time.Series {
		for _, p := range s.Points {
			want := 1e3 * stepSeconds(s.Name, p.X)
			if p.Lo > want*1.01 || p.Hi < want*0.99 || p.Lo >= p.Hi || p.Y < p.Lo || p.Y > p.Hi {
				t.Errorf("%s at %g: %g [%g, %g], want about %g", s.Name, p.X, p.Y, p.Lo, p.Hi, want)
			}
		}
	}
	sum := byName["cost-decode-cumulative"]
	for _, s := range sum.Series {
		if last := s.Points[len(s.Points)-1]; s.Name == "transformer" {
			// ∫ (0.8 ms + 0.5 µs·x) dx from 0 to 8192
			want := 0.8e-3*8192 + 0.5e-6*8192*8192/2
			if last.Y < want*0.98 || last.Y > want*1.02 {
				t.Errorf("cumulative %g s, want %g", last.Y, want)
			}
		}
	}
	if ticks := byName["cost-prefill"].X.Ticks; len(ticks) != 4 || ticks[3] != (Tick{1024, "all"}) {
		t.Errorf("prefill ticks %v", ticks)
	}
}

func TestSameSeriesSameColour(t *testing.T) {
	m := newMaker()
	seen := map[string]int{}
	for _, f := range newView(m.run, m.recs).notebook().figures() {
		for _, s := range f.Series {
			label, _, _ := strings.Cut(s.Name, ":")
			if i, ok := seen[label]; ok && i != s.Index {
				t.Errorf("%s: %s has style %d, elsewhere %d", f.Name, label, s.Index, i)
			}
			seen[label] = s.Index
		}
	}
	styles := map[[3]int]bool{}
	for i := range 20 {
		s := Series{Index: i}
		styles[[3]int{i % len(palette), s.marker(), s.dash()}] = true
	}
	if len(styles) != 20 {
		t.Errorf("20 series have %d styles", len(styles))
	}
}

func TestUnknownFormatAndFolder(t *testing.T) {
	_, err := Render(t.TempDir(), []string{"html", "pdf"})
	if err == nil || !strings.Contains(err.Error(), "pdf") || !strings.Contains(err.Error(), "csv, html, md, png, svg") {
		t.Errorf("unknown format: %v", err)
	}
	if _, err := Render(t.TempDir(), []string{"html"}); err == nil {
		t.Error("a folder without a run was rendered")
	}
}

func TestEmptyAndFailedRuns(t *testing.T) {
	fail := newMaker()
	for i := range fail.recs {
		r := &fail.recs[i]
		r.Values, r.Samples, r.Notes, r.Error = nil, nil, nil, "it broke"
	}
	unstarted := newMaker()
	unstarted.recs = nil
	for name, c := range map[string]struct {
		m    *maker
		want []string
	}{
		"nothing":   {&maker{run: record.Run{Schema: record.Schema}}, []string{"Untitled run", "makes no claims", "The run planned no cells."}},
		"failures":  {fail, []string{"No sample of this part", "it broke", "the cell failed: it broke", "107 holes"}},
		"unstarted": {unstarted, []string{"No sample of this part", "not measured yet", "0 in 107 cells planned"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := c.m.save(t)
			html := string(render(t, dir, "html")["report.html"])
			for _, want := range c.want {
				if !strings.Contains(html, want) {
					t.Errorf("lacks %q", want)
				}
			}
			var b bytes.Buffer
			if err := Summary(&b, dir); err != nil || b.Len() == 0 {
				t.Errorf("summary: %v", err)
			}
		})
	}
}

func TestSummary(t *testing.T) {
	var b bytes.Buffer
	if err := Summary(&b, newMaker().save(t)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"RWKV-4 against", "holds", "fails", "3.3", "not measured yet", "depth 16384", "no difference shown"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("summary lacks %q", want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	dir := newMaker().save(t)
	if _, err := Render(dir, []string{"md"}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "![") {
		t.Error("Markdown shows figures that were not written")
	}
	var widths []int
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "|") {
			widths = append(widths, strings.Count(strings.ReplaceAll(line, "\\|", ""), "|"))
		} else if len(widths) > 0 {
			if slices.Max(widths) != slices.Min(widths) {
				t.Errorf("a table has rows of %v bars", widths)
			}
			widths = nil
		}
	}
}

// TestFilesAreReplacedWhole: a reader of the old file keeps the old bytes.
func TestFilesAreReplacedWhole(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sub", "report.html")
	if err := writeFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	reader, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if err := writeFile(path, []byte("new and longer")); err != nil {
		t.Fatal(err)
	}
	old, _ := io.ReadAll(reader)
	now, _ := os.ReadFile(path)
	left, _ := os.ReadDir(filepath.Dir(path))
	if string(old) != "old" || string(now) != "new and longer" || len(left) != 1 {
		t.Errorf("old reader %q, file %q, %d files", old, now, len(left))
	}
}
