package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"workbench/experiments/meter/metertest"
	"workbench/experiments/record"
	"workbench/reports"
)

// poweredStudy has cells whose work takes from a few to some hundred µs, far
// below what a counter resolves.
const poweredStudy = `name: powered
arch:
  - {use: rwkv4, dim: 16, layers: 1}
  - {use: rnn, dim: 8, layers: 1}
corpus: grammar
measure:
  decode: {depth: [64], tokens: 16, rounds: 6, sample_ms: 1}
  prefill: {tokens: 32, chunk: [0], rounds: 1, sample_ms: 1}
  train: {context: [16], batch_tokens: 16, rounds: 1, sample_ms: 1}
claims:
  - {id: less, says: Less than a million RNNs., rules: [{kind: ratio, part: powered, phase: decode, metric: joules_per_token, arch: rwkv4, than: rnn, over: depth, below: 1e6}]}
`

// everything is a machine with all that a meter must not count twice, whose
// counters start again every half a second.
func everything() metertest.Tree {
	t := metertest.Tree{Name: "everything", Watts: 50 + 6 + 30}
	for _, z := range []metertest.Zone{
		{ID: "intel-rapl:0", Name: "package-0", Watts: 50}, {ID: "intel-rapl:0:0", Name: "core", Watts: 35}, {ID: "intel-rapl:0:1", Name: "dram", Watts: 6},
		{ID: "intel-rapl:1", Name: "package-1", Watts: 30}, {ID: "intel-rapl:2", Name: "psys", Watts: 120}, {ID: "intel-rapl-mmio:0", Name: "package-0", Watts: 50},
	} {
		z.Max = uint64(z.Watts * 0.5e6)
		t.Zones = append(t.Zones, z)
	}
	return t
}

// powered runs the study on a machine with that tree and returns its folder
// and what fed the tree.
func powered(t *testing.T, tree metertest.Tree) (dir string, feeder *metertest.Feeder) {
	t.Helper()
	sysfs, dir := t.TempDir(), t.TempDir()
	feeder, err := tree.Feed(sysfs)
	if err != nil {
		t.Fatal(err)
	}
	defer feeder.Stop()
	study := filepath.Join(dir, "powered.yaml")
	if err := os.WriteFile(study, []byte(poweredStudy), 0o644); err != nil {
		t.Fatal(err)
	}
	dir = filepath.Join(dir, "run")
	p := process("run", study, "--profile", "smoke", "--threads", "1", "--out", dir)
	p.Env = append(p.Env, "WORKBENCH_SYSFS="+sysfs)
	if out, err := p.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return dir, feeder
}

// TestEnergyEndToEnd: what a counter was fed with is what the report says of a
// token, no sample is lost, and the claim is decided; without a counter, the
// claim says why.
func TestEnergyEndToEnd(t *testing.T) {
	for _, tree := range []metertest.Tree{metertest.Named("one package"), everything(), metertest.Named("memory without permission")} {
		t.Run(tree.Name, func(t *testing.T) {
			t.Parallel()
			dir, feeder := powered(t, tree)
			_, records, err := record.Load(dir)
			if err != nil || len(records) != 3*(6+2+2) {
				t.Fatalf("%d records: %v", len(records), err)
			}
			paths, err := reports.Render(dir, []string{"csv", "md"})
			if err != nil {
				t.Fatal(err)
			}
			verdict := "holds"
			if tree.Watts == 0 {
				verdict = "not decided on this machine: no measured energy per token (" + tree.Lost + ": "
			} else {
				holdWindows(t, records, tree.Watts, feeder)
				holdFigure(t, paths["csv"], records)
			}
			if md, err := os.ReadFile(paths["md"]); err != nil || !strings.Contains(string(md), verdict) {
				t.Errorf("report.md lacks the verdict %q: %v", verdict, err)
			}
		})
	}
}

// holdWindows: every sample is long enough, and holds the energy that passed in
// its window, to within 1 % in the median. Windows at whose ends the feeder got
// no processor do not count; of those at which that was not seen a few remain.
func holdWindows(t *testing.T, records []record.Record, watts float64, feeder *metertest.Feeder) {
	t.Helper()
	var ratios []float64 // told over fed
	for i := range records {
		r := &records[i]
		what := fmt.Sprintf("%s of %s, block %s", r.Text(record.KeyWorkload), r.Text(record.KeyArm), r.Text(record.KeyBlock))
		perToken := r.Find("joules_per_token")
		if perToken == nil {
			t.Fatalf("%s: no energy", what)
		}
		joules, ok := r.Value("joules")
		seconds, _ := r.Value("energy_window")
		window := time.Duration(seconds * 1e9)
		if !ok && feeder.Late(r.Time.Add(-time.Second), r.Time) {
			t.Skipf("the machine is too busy to feed a counter: %s", perToken.Reason)
		}
		if !ok {
			t.Fatalf("%s: no energy: %s", what, perToken.Reason)
		}
		gross, _ := r.Value("joules_per_token")
		if net, ok := r.Value("net_joules_per_token"); joules < 0 || ok && (net < 0 || net > gross) {
			t.Errorf("%s: %g J, %g J a token, net %g", what, joules, gross, net)
		}
		duration, _ := r.Value("duration")
		if window < 200*time.Millisecond || duration > seconds {
			t.Errorf("%s: %g s of work in a window of %v", what, duration, window)
		}
		tokens, _ := r.Value("tokens")
		if s := r.Series("latency"); r.Text(record.KeyWorkload) == "decode" && (s == nil || len(s.Y) != int(tokens) || int(tokens)%32 != 0) {
			t.Errorf("%s: %g tokens are not whole works at the depth, or lack their latencies", what, tokens)
		}
		late := lateAt(feeder, r.Time) || lateAt(feeder, r.Time.Add(-window))
		if !late {
			ratios = append(ratios, joules/(watts*window.Seconds()))
		}
	}
	if slices.Sort(ratios); len(ratios) < 5 {
		t.Logf("the machine is too busy to hold the joules against the clock: %d windows", len(ratios))
	} else if mid := ratios[len(ratios)/2]; math.Abs(mid-1) > 0.01 {
		t.Errorf("%g of what was fed, in the median of %.4g", mid, ratios)
	}
}

// lateAt tells whether the feeder was late when a window began or ended that
// was heard of at t.
func lateAt(feeder *metertest.Feeder, t time.Time) bool {
	return feeder.Late(t.Add(-100*time.Millisecond), t)
}

// holdFigure: the joules a token in the figure's numbers are the median over a
// model's samples of their power times their time a token.
func holdFigure(t *testing.T, dir string, records []record.Record) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "figure-powered-energy-measured.csv"))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
	if err != nil || len(rows) != 3 {
		t.Fatalf("%q: %v", b, err)
	}
	unit := 1e6
	for _, prefix := range []string{"(µJ", "(mJ", "(J"} {
		if strings.Contains(rows[0][2], prefix) {
			break
		}
		unit /= 1e3
	}
	for _, row := range rows[1:] {
		var each []float64
		for _, r := range records {
			if r.Text(record.KeyWorkload) == "decode" && r.Text(record.KeyArm) == row[0] {
				value := func(name string) float64 { x, _ := r.Value(name); return x }
				each = append(each, value("joules")/value("energy_window")*value("duration")/value("tokens"))
			}
		}
		slices.Sort(each)
		want := unit * (each[2] + each[3]) / 2
		if got, err := strconv.ParseFloat(row[2], 64); err != nil || math.Abs(got/want-1) > 1e-6 {
			t.Errorf("%s: %s in %q, want %g: %v", row[0], row[2], rows[0][2], want, err)
		}
	}
}

// TestDoctorTellsHowToUnlock: a locked counter is named with the command that
// opens it.
func TestDoctorTellsHowToUnlock(t *testing.T) {
	sysfs := t.TempDir()
	feeder, err := metertest.Named("one package").Feed(sysfs)
	if err != nil {
		t.Fatal(err)
	}
	defer feeder.Stop()
	counter := filepath.Join(sysfs, "class/powercap/intel-rapl:0/energy_uj")
	if err := os.Chmod(counter, 0); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WORKBENCH_SYSFS", sysfs)
	out, _, err := call("doctor")
	if err != nil {
		t.Fatal(err)
	}
	want := "package-0: only root may read the counter; to unlock it until the next boot: sudo chmod a+r " + filepath.Join(sysfs, "class/powercap/intel-rapl*/energy_uj")
	if os.Geteuid() == 0 {
		want = "measured-counter: cpu, RAPL counter, powercap: package-0" // root reads everything
	}
	if !strings.Contains(out, want) {
		t.Errorf("doctor lacks %q:\n%s", want, out)
	}
}

// TestDoctorTellsOfSources: every source is listed with its tier, and one that
// does not measure with what makes it.
func TestDoctorTellsOfSources(t *testing.T) {
	sysfs := t.TempDir()
	files := map[string]string{"class/hwmon/hwmon0/name": "power_meter", "class/hwmon/hwmon0/power1_average": "210000000",
		"class/power_supply/BAT0/type": "Battery", "class/power_supply/BAT0/status": "Full"}
	for path, text := range files {
		path = filepath.Join(sysfs, path)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text+"\n"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("WORKBENCH_SYSFS", sysfs)
	out, _, err := call("doctor")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"measured-sampled: machine, power sampled every 500ms, hwmon power_meter: power_meter power1\n",
		"unavailable: cpu by powercap, RAPL counter, powercap (no RAPL counters in ",
		"unavailable: machine by battery, power sampled every 500ms", "BAT0: the battery does not discharge: unplug the charger",
		"estimated-load: cpu estimate, ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("doctor lacks %q:\n%s", want, out)
		}
	}
}
