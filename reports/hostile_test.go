package reports

import (
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"workbench/experiments/record"
)

var evil = []string{
	"</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", `"><svg onload=alert(1)>`, "=cmd|' /C calc'!A0", "@SUM(1+1)", "+1-1|x",
	"../../../etc/passwd", "..\\x", "a|b\n| c |", "\u2028\u2029", "__f__\"};alert(1);//__f__", `"@0@"`, "'@1@'", "\x00\x1b[31m\x07", "\u202egnp.exe",
	strings.Repeat("long ", 5000), "`rm -rf`", "{{.}}", "</title></style>", "\xff\xfe", "]]><!--", "&lt;script&gt;", "javascript:alert(1)", "\ufffe", "",
}

// hostileMaker puts every evil string into every place for text.
func hostileMaker() *maker {
	m := newMaker()
	pick := func(i int) string { return evil[i%len(evil)] }
	rename := map[string]string{}
	for i := range evil {
		m.run.Parts[2].Arms = append(m.run.Parts[2].Arms, pick(i))
	}
	for i, a := range archs {
		rename[a] = pick(i)
	}
	m.run.Title, m.run.Question, m.run.Method, m.run.Predicts = pick(0), pick(1), pick(2), pick(5)
	m.run.Study, m.run.Profile, m.run.Command, m.run.StudyYAML = pick(6), pick(3), pick(0), pick(0)+"\n"+pick(18)+"\n```\n# head"
	m.run.Sources = map[string]string{"commit": pick(0), pick(1): pick(2), pick(3): pick(4)}
	m.run.Host.CPU, m.run.Host.OS, m.run.Host.Features = pick(0), pick(2), evil
	m.run.Host.FMAPeak = map[string]float64{pick(0): 1}
	m.run.Host.Caches = map[string]int64{pick(1): 1}
	m.run.Cuts, m.run.Warnings, m.run.Host.Warnings = evil, evil, evil
	m.run.Corpora = []record.Corpus{{Name: pick(0), Source: pick(3), SHA256: pick(2)}}
	for i := range m.run.Parts {
		p := &m.run.Parts[i]
		p.Title, p.Note = pick(i), pick(i+10)
		for j, l := range p.Arms {
			if n, ok := rename[l]; ok {
				p.Arms[j] = n
			}
		}
		p.Baseline = p.Arms[0]
	}
	for i := range m.run.Workloads {
		w := &m.run.Workloads[i]
		if w.Title = pick(i); w.Axis != nil {
			w.Axis.Title, w.Axis.Unit = pick(i+8), pick(i+1)
		}
	}
	for i := range m.recs {
		makeHostile(&m.recs[i], i, rename)
	}
	for i := range m.run.Claims {
		m.run.Claims[i].Says, m.run.Claims[i].Why = pick(i), pick(i+1)
	}
	m.plan(pick(7), pick(0), pick(1), pick(3), "none")
	return m
}

// makeHostile puts evil strings into the i-th record.
func makeHostile(r *record.Record, i int, rename map[string]string) {
	pick := func(i int) string { return evil[i%len(evil)] }
	arm, part := r.Text(record.KeyArm), r.Text(record.KeyPart)
	if n, ok := rename[arm]; ok {
		r.Keys[record.KeyArm] = n
	}
	if part == "ablation" {
		r.Keys[record.KeyPart] = pick(6)
	}
	r.Warnings, r.Keys[record.KeyImpl], r.Keys[pick(i+1)] = []string{pick(i)}, pick(i), pick(i+2)
	if r.Error != "" {
		r.Error = pick(0)
		return
	}
	for j := range r.Values {
		v := &r.Values[j]
		v.Title, v.Source = pick(j), pick(j+1)
		if v.Value == nil {
			v.Reason = pick(i)
		}
		if v.Unit == "" {
			v.Unit = pick(j + 2)
		}
		if strings.HasPrefix(v.Name, probe) {
			v.Name = strings.Replace(v.Name, "wkv", pick(2), 1)
		}
	}
	own := record.Quantity{Name: pick(i), Title: pick(i + 1), Unit: pick(i + 2), Kind: record.Kind(pick(i + 3)), Better: pick(i + 4), Main: true}
	if own.Name != "" {
		r.Add(own.Of(float64(i)))
	}
	for j := range r.Samples {
		s := &r.Samples[j]
		s.Title, s.Unit, s.Axis, s.AxisUnit = pick(i), pick(i+1), pick(i+2), pick(i+3)
	}
	if r.Notes != nil {
		r.Notes = map[string]string{weights: pick(i), pick(i): pick(i + 1)}
	}
}

func TestHostileStringsStayText(t *testing.T) {
	dir := hostileMaker().save(t)
	for name, b := range render(t, dir, "html", "svg", "csv", "md") {
		s := string(b)
		if strings.ContainsAny(s, "\x00\x1b\u2028\u202e") && name != "records.jsonl" && name != "run.json" {
			t.Errorf("%s holds control characters", name)
		}
		if regexp.MustCompile(`[^a-z0-9/.-]`).MatchString(name) || strings.Contains(name, "..") {
			t.Errorf("file name %q", name)
		}
		switch filepath.Ext(name) {
		case ".svg":
			wellFormed(t, name, b)
			fallthrough
		case ".html":
			if m := regexp.MustCompile(`(?i)<script|<img|<svg onload|onerror=alert\(1\)>|</title></style>`).FindString(s); m != "" {
				t.Errorf("%s holds live markup: %s", name, m)
			}
		case ".md":
			if m := regexp.MustCompile(`(?i)<script|<img|<svg`).FindString(regexp.MustCompile(`(?m)^    .*$`).ReplaceAllString(s, "")); m != "" {
				t.Errorf("%s holds live markup: %s", name, m)
			}
		case ".csv":
			checkCells(t, name, s)
		}
	}
}

func checkCells(t *testing.T, name, s string) {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(s)).ReadAll()
	if err != nil {
		t.Errorf("%s: %v", name, err)
	}
	for _, row := range rows {
		for _, c := range row {
			if c != "" && strings.ContainsRune("=+-@\t\r", rune(c[0])) && !isNumber(c) {
				t.Errorf("%s: a spreadsheet runs %q", name, c)
			}
		}
	}
}

// TestHostileCharts reads the options of every interactive chart back: scripts
// hold no markup, and names come out as text.
func TestHostileCharts(t *testing.T) {
	m := hostileMaker()
	n := newView(m.run, m.recs).notebook()
	names := 0
	for _, f := range n.figures() {
		_, script, err := f.live("fig1")
		if err != nil {
			t.Fatal(err)
		}
		functions := strings.NewReplacer(strings.NewReplacer("\n", "", "\t", "").Replace(errorBarJS), "", strings.NewReplacer("\n", "", "\t", "").Replace(tooltipJS), "")
		rest := functions.Replace(script)
		if strings.ContainsAny(rest, "<>&\u2028\u2029") {
			t.Errorf("%s: the script holds markup", f.Name)
		}
		for _, s := range f.Series {
			q, _ := json.Marshal(s.Name)
			if strings.Contains(rest, `"name":`+string(q)) {
				names++
			}
		}
	}
	if names < 20 {
		t.Errorf("%d series names found in the scripts", names)
	}
}

// TestPolicyCoversTheScripts: a page with ECharts runs its own scripts only.
func TestPolicyCoversTheScripts(t *testing.T) {
	m := hostileMaker()
	b, err := newView(m.run, m.recs).notebook().html("window.echarts = null;")
	if err != nil {
		t.Fatal(err)
	}
	page := string(b)
	scripts := regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllString(page, -1)
	if n := strings.Count(strings.ToLower(page), "<script"); n != len(scripts) || n != 2+3*strings.Count(page, `class="static"`) {
		t.Errorf("%d script tags, %d scripts, %d figures", n, len(scripts), strings.Count(page, `class="static"`))
	}
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(page)
	if policy == nil || strings.Count(policy[1], "sha256-") != len(scripts) {
		t.Errorf("policy %v for %d scripts", policy, len(scripts))
	}
	if !strings.Contains(page, "Apache License, Version 2.0") {
		t.Error("the page inlines ECharts without its licence")
	}
}

func TestEChartsOnlyWithItsHash(t *testing.T) {
	cache := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", cache)
	if echarts() != "" {
		t.Error("a script out of nowhere")
	}
	path := filepath.Join(cache, "workbench", echartsFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("alert(1)"), 0o644); err != nil {
		t.Fatal(err)
	}
	if echarts() != "" {
		t.Error("a script with another hash is used")
	}
	lock, err := os.ReadFile("web/package-lock.json")
	if err != nil || !strings.Contains(string(lock), `"version": "6.1.0"`) || strings.Contains(string(lock), "resolved") {
		t.Errorf("lock file: %v", err)
	}
	install, err := os.ReadFile("web/install.sh")
	if err != nil || !strings.Contains(string(install), echartsSHA256) || !strings.Contains(string(install), echartsFile) {
		t.Errorf("install.sh and the code name different files: %v", err)
	}
}
