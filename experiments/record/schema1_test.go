package record

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// one converts the body of a record of schema 1.
func one(t *testing.T, body string) Record {
	t.Helper()
	r, err := parse([]byte(`{"schema":1,"study":"s","part":"p","cell":"c","label":"rwkv4 dim=8","arch":"rwkv4","config":{"dim":8,"ln0":"on"},` +
		`"threads":2,"impl":"avx2","round":3,"slot":1,"seed":5,"params":90,"params_nonemb":60,` + body + `}`))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// hold compares keys or values with their expected numbers; NaN stands for
// none.
func hold(t *testing.T, what string, find func(string) (float64, bool), want map[string]float64) {
	t.Helper()
	for name, x := range want {
		if got, ok := find(name); ok == math.IsNaN(x) || ok && math.Abs(got-x) > 1e-12*math.Abs(x) {
			t.Errorf("%s: %s is %g, %v, want %g", what, name, got, ok, x)
		}
	}
}

func TestUpgradeDecode(t *testing.T) {
	r := one(t, `"phase":"decode","depth":64,"batch":1,"tokens":4,"duration_ns":2000000,"latency_ns":[400000,500000],"cpu_ns":3000000,
		"gc_share":0,"state_bytes":960,"peak_rss_bytes":1048576,"heap_bytes":2048,"arena_bytes":512,"warnings":["noisy"]`)
	none := math.NaN()
	hold(t, "keys", r.Key, map[string]float64{"depth": 64, "batch": 1, KeyThreads: 2, KeyBlock: 3, KeySlot: 1, KeySeed: 5, "config.dim": 8, "chunk": none, "context": none})
	hold(t, "values", r.Value, map[string]float64{"params": 90, "params_nonemb": 60, "tokens": 4, "duration": 2e-3, "duration_per_token": 5e-4, "tokens_per_second": 2000,
		"cores_busy": 1.5, "cpu_per_token": 7.5e-4, "gc_share": 0, "sched_share": none, "state_bytes": 960, "peak_rss_bytes": 1 << 20, "heap_bytes": 2048, "arena_bytes": 512,
		"joules_per_token": none, "joules_per_token_estimated": none})
	for key, want := range map[string]string{KeyStudy: "s", KeyPart: "p", KeyArm: "rwkv4 dim=8", KeyArch: "rwkv4", KeyWorkload: "decode", KeyImpl: "avx2", "config.ln0": "on"} {
		if got := r.Text(key); got != want {
			t.Errorf("key %s is %q, want %q", key, got, want)
		}
	}
	if s := r.Series("latency"); s == nil || len(s.Y) != 2 || s.Y[1] != 5e-4 || s.X != nil {
		t.Errorf("latency %+v", s)
	}
	if j := r.Find("joules_per_token"); j == nil || j.Reason != "no record carries energy from a counter or meter" || !j.Main || j.Kind != Timed {
		t.Errorf("energy %+v", j)
	}
	if r.Cell != "c" || len(r.Warnings) != 1 || r.Error != "" {
		t.Errorf("record %+v", r)
	}
	for name, kind := range map[string]Kind{"duration_per_token": Timed, "state_bytes": Exact, "peak_rss_bytes": Exact, "heap_bytes": Timed} {
		if got := r.Find(name).Kind; got != kind {
			t.Errorf("%s is %s, want %s", name, got, kind)
		}
	}
}

// TestUpgradeAxes checks that a chunk of 0 stands for the whole text.
func TestUpgradeAxes(t *testing.T) {
	for _, c := range []struct {
		body, key string
		want      float64
	}{
		{`"phase":"prefill","chunk":16,"tokens":2048,"batch":2`, "chunk", 16},
		{`"phase":"prefill","tokens":2048,"batch":2`, "chunk", 1024},
		{`"phase":"prefill","chunk":0,"tokens":2048`, "chunk", 2048},
		{`"phase":"train","context":128,"tokens":2048,"batch":16`, "context", 128},
		{`"phase":"decode","tokens":8,"batch":1`, "depth", 0},
	} {
		r := one(t, c.body)
		hold(t, c.body, r.Key, map[string]float64{c.key: c.want})
	}
}

// TestUpgradeTexts checks that the length of the prefill text is known where
// one sample read it once in one chunk.
func TestUpgradeTexts(t *testing.T) {
	dir, path := newRun(t)
	var lines string
	for _, l := range []string{`"a","chunk":16,"tokens":2048`, `"a","chunk":256,"tokens":512`, `"a","round":1,"chunk":256,"tokens":1024`, `"a","round":2,"tokens":512`,
		`"b","chunk":16,"tokens":512`, `"b","chunk":256,"tokens":1024`} {
		lines += `{"schema":1,"phase":"prefill","batch":2,"duration_ns":9,"part":` + l + "}\n"
	}
	tail(t, path, lines+`{"schema":2,"cell":"n","keys":{"workload":"prefill","part":"a","chunk":16,"batch":2}}`+"\n")
	_, records, err := Load(dir)
	if err != nil || len(records) != 7 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	for i, want := range []float64{256, 256, 256, 256, math.NaN(), math.NaN(), math.NaN()} {
		hold(t, fmt.Sprint("line ", i), records[i].Key, map[string]float64{"text": want})
	}
}

// TestUpgradeEnergy checks that the total of the counters becomes the measured
// energy, divided among the samples of its window, that single counters do not,
// and that an estimate has a name of its own.
func TestUpgradeEnergy(t *testing.T) {
	counted := func(domain, joules string) string {
		return fmt.Sprintf(`{"tier":"measured-counter","domain":%q,"source":"RAPL","joules":%s,"net_joules":null,"window_ns":4000000000,"reason":"it wrapped"}`, domain, joules)
	}
	const estimate = `{"tier":"estimated-load","domain":"cpu estimate","source":"TDP","joules":99,"net_joules":null,"window_ns":1000000000,"reason":"35 W"}`
	const none = `{"tier":"unavailable","domain":"cpu","source":"RAPL","joules":null,"net_joules":null,"window_ns":0,"reason":"no powercap"}`
	for name, c := range map[string]struct {
		energy               string
		measured, net, guess float64
		source, reason       string
	}{
		"counter":  {counted("cpu", "44") + "," + counted("package-0", "40") + "," + counted("core", "30") + "," + estimate, 1.1, math.NaN(), 9.9, "measured-counter, cpu", "it wrapped"},
		"net":      {strings.Replace(counted("cpu", "44"), `"net_joules":null`, `"net_joules":4`, 1), 1.1, 0.1, math.NaN(), "measured-counter, cpu", "it wrapped"},
		"lost":     {counted("cpu", "null") + "," + counted("package-0", "40"), math.NaN(), math.NaN(), math.NaN(), "", "it wrapped"},
		"estimate": {none + "," + estimate, math.NaN(), math.NaN(), 9.9, "", "no powercap"},
	} {
		r := one(t, `"phase":"decode","tokens":10,"duration_ns":1000000000,"energy":[`+c.energy+`]`)
		hold(t, name, r.Value, map[string]float64{"joules_per_token": c.measured, "net_joules_per_token": c.net, "joules_per_token_estimated": c.guess, "joules_per_token_modelled": math.NaN()})
		if j := r.Find("joules_per_token"); j.Source != c.source || j.Reason != c.reason {
			t.Errorf("%s: source %q, reason %q", name, j.Source, j.Reason)
		}
		if g := r.Find("joules_per_token_estimated"); g != nil && (g.Kind != Estimated || g.Main || g.Reason != "35 W") {
			t.Errorf("%s: estimate %+v", name, g)
		}
	}
}

func TestUpgradeQuality(t *testing.T) {
	r := one(t, `"phase":"quality","context":32,"batch":4,"quality":{"corpus":"go","lr":0.004,"steps":60,
		"curve":[{"step":0,"tokens":0,"train_loss":5,"val_bits_per_byte":8},{"step":60,"tokens":7680,"train_loss":3,"val_bits_per_byte":4.5}],"val_bits_per_byte":4.5,
		"by_position":[{"from":0,"to":32,"bits_per_byte":4.25},{"from":32,"to":128,"bits_per_byte":4.5},{"from":9,"to":9,"bits_per_byte":1}],
		"probes":[{"slots":"wkv","every":16,"bits_per_byte":4.75,"base_bits_per_byte":4.5}],"weights_sha256":"ab"}`)
	hold(t, "keys", r.Key, map[string]float64{"context": 32, "lr": 0.004, "steps": 60, KeySeed: 5, KeyBlock: math.NaN()})
	hold(t, "values", r.Value, map[string]float64{"val_bits_per_byte": 4.5, "probe:wkv/16": 0.25})
	if q := r.Find("val_bits_per_byte"); q.Kind != Seeded || !q.Main || r.Text("corpus") != "go" || r.Notes["weights_sha256"] != "ab" {
		t.Errorf("%+v, corpus %q, notes %v", q, r.Text("corpus"), r.Notes)
	}
	if s := r.Series("val_bits_per_byte"); s == nil || len(s.X) != 2 || s.X[1] != 7680 || s.Y[1] != 4.5 {
		t.Errorf("curve %+v", s)
	}
	if s := r.Series("loss_by_position"); s == nil || len(s.X) != 2 || s.X[0] != math.Sqrt(32) || s.X[1] != 64 || s.Y[1] != 4.5 {
		t.Errorf("by position %+v", s)
	}
}

func TestUpgradeCheckAndFailure(t *testing.T) {
	r := one(t, `"phase":"check","check":{"name":"modes","value":3e-6,"what":"largest difference"}`)
	if v := r.Find("modes"); v == nil || v.Kind != Exact || *v.Value != 3e-6 || v.Title != "largest difference" {
		t.Errorf("%+v", v)
	}
	if r := one(t, `"phase":"train","context":8,"error":"killed"`); r.Error != "killed" || r.Text(KeyWorkload) != "train" {
		t.Errorf("%+v", r)
	}
}

// TestUpgradeRun reads a folder of schema 1, whose run.json lists no workloads.
func TestUpgradeRun(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		RunFile: `{"schema":1,"study":"s","seed":7,"parts":[{"name":"p","title":"P","labels":["a","b"],"baseline":"b"}],
			"cells":[{"id":"c","part":"p","label":"b","phase":"prefill","what":"chunk 16"}],"claims":[{"id":"x","says":"y","rules":[{"kind":"ratio","phase":"prefill","metric":"state_bytes","arch":"a"}]}]}`,
		RecordsFile: `{"schema":1,"part":"p","cell":"c","label":"b","phase":"prefill","chunk":16,"tokens":32,"duration_ns":8}` + "\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run, records, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if p := run.Parts[0]; len(p.Arms) != 2 || p.Arms[1] != "b" || p.Baseline != "b" || p.Title != "P" {
		t.Errorf("part %+v", p)
	}
	if c := run.Cells[0]; c.Arm != "b" || c.Workload != "prefill" || c.What != "chunk 16" {
		t.Errorf("cell %+v", c)
	}
	if r := run.Claims[0].Rules[0]; r.Phase != "prefill" || r.Metric != "state_bytes" {
		t.Errorf("rule %+v", r)
	}
	for _, w := range run.Workloads {
		if w.Name == "prefill" && w.Axis != nil && w.Axis.Key == "chunk" && len(records) == 1 {
			hold(t, "record", records[0].Key, map[string]float64{w.Axis.Key: 16})
			return
		}
	}
	t.Errorf("workloads %+v, %d records", run.Workloads, len(records))
}
