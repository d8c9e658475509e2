//go:build unix

package experiments

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"workbench/experiments/record"
)

// TestMain makes the test binary serve cells as the program does. FAKE, "op
// arch how", makes it fail instead when that operation comes to that
// architecture.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == "cell":
		if err := serveFaulty(os.Stdin); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	case os.Getenv("PARENT") != "":
		beParent()
	}
	describe = func(bool) record.Host { return record.Host{CPU: "test"} }
	quick := profiles["quick"]
	quick.minRounds = 2 // for the sake of time
	profiles["quick"] = quick
	os.Exit(m.Run())
}

func run(t *testing.T, s *Study, o Options) (*record.Run, []record.Record) {
	t.Helper()
	dir, err := Run(context.Background(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	run, records, err := record.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	return run, records
}

// only are the records of a workload.
func only(records []record.Record, phase string) (out []record.Record) {
	for _, r := range records {
		if r.Text(record.KeyWorkload) == phase {
			out = append(out, r)
		}
	}
	return out
}

func TestRun(t *testing.T) {
	var log strings.Builder
	s := parse(t, tinyStudy)
	out := filepath.Join(t.TempDir(), "run")
	got, records := run(t, s, Options{Profile: "quick", Out: out, Progress: &log, Command: "workbench run tiny", Seed: 7, Threads: 2})

	if got.Finished == nil || got.Seed != 7 || got.Command != "workbench run tiny" || got.Question != s.Question || len(got.Corpora) != 1 {
		t.Errorf("run is %+v", got)
	}
	if got.Parts[0].Arms[2] != "plain <b>RNN</b>" || got.Host.CPU == "" || got.Sources["binary_sha256"] == "" {
		t.Errorf("parts %+v, host %+v, sources %v", got.Parts, got.Host, got.Sources)
	}
	have := map[string]*facts{"tiny": newFacts()}
	v, err := s.variant("smoke")
	if err == nil {
		err = have["tiny"].add(&v.Parts[0], func(err error) error { return err })
	}
	if err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, r := range records {
		count[r.Cell]++
		if r.Error != "" || r.Time.IsZero() || number(t, &r, "params") <= number(t, &r, "params_nonemb") || r.Keys["config.vocab"] != 256.0 || r.Text(record.KeyImpl) == "" {
			t.Errorf("record %+v", r)
		}
		for _, v := range r.Values {
			if r.Keys[record.KeyPlacebo] == true {
				break // of which claims are not made
			}
			kind, zero := record.RuleDifference, 0.0
			if isCheck(v.Quantity) {
				kind = record.RuleCheck
			}
			rule := record.Rule{Kind: kind, Part: "tiny", Phase: r.Text(record.KeyWorkload), Metric: v.Name, Arch: r.Text(record.KeyArm), Above: &zero}
			if _, why := checkRule(rule, have); why != "" {
				t.Errorf("a claim about %s of %s is refused: %s", v.Name, rule.Phase, why)
			}
		}
	}
	for _, c := range got.Cells {
		want := map[string]int{"decode": 3, "prefill": 2, "train": 2, "quality": 1, "check": 1}[c.Workload]
		if count[c.ID] != want {
			t.Errorf("cell %+v has %d records, want %d", c, count[c.ID], want)
		}
		delete(count, c.ID)
	}
	if len(count) > 0 {
		t.Errorf("records of unplanned cells: %v", count)
	}
	checkOrder(t, only(records, "decode"), 8)
	checkOrder(t, only(records, "prefill"), 12)
	checkValues(t, records)
	if !strings.Contains(log.String(), "held-out loss") {
		t.Errorf("progress is %q", log.String())
	}
}

// checkOrder: in every round every cell takes one sample, in an order that
// differs between rounds, and the models follow each other at every point.
func checkOrder(t *testing.T, records []record.Record, perRound int) {
	t.Helper()
	var orders []string
	for len(records) > 0 {
		n := min(perRound, len(records))
		order, seen := "", map[string]bool{}
		for i, r := range records[:n] {
			if block, slot := key(t, &r, record.KeyBlock), key(t, &r, record.KeySlot); block != len(orders) || slot != i {
				t.Errorf("record %d of round %d says round %d, slot %d", i, len(orders), block, slot)
			}
			point := key(t, &r, axisOf(r.Text(record.KeyWorkload)))
			if i%4 > 0 && !strings.Contains(order[strings.LastIndex(order, "|"):], fmt.Sprint("@", point)) {
				t.Errorf("round %d: slot %d measures point %d before the models at the point before are through", len(orders), i, point)
			}
			if i%4 == 0 {
				order += "|"
			}
			order += fmt.Sprint(r.Text(record.KeyArm), "@", point, " ")
			seen[r.Cell] = true
		}
		if len(seen) != perRound {
			t.Errorf("round %d has samples of %d cells, want %d", len(orders), len(seen), perRound)
		}
		orders, records = append(orders, order), records[n:]
	}
	if len(slices.Compact(slices.Sorted(slices.Values(orders)))) == 1 {
		t.Errorf("every round has the same order: %q", orders[0])
	}
}

// key is a whole number among the keys of a record, which must have it.
func key(t *testing.T, r *record.Record, name string) int {
	t.Helper()
	x, ok := r.Key(name)
	if !ok {
		t.Errorf("no key %s in %+v", name, r)
	}
	return int(x)
}

// series is a series of a record, which must have it.
func series(t *testing.T, r *record.Record, name string) record.Series {
	t.Helper()
	s := r.Series(name)
	if s == nil {
		t.Errorf("no series %s in %+v", name, r)
		return record.Series{}
	}
	return *s
}

func checkValues(t *testing.T, records []record.Record) {
	t.Helper()
	shares := map[string][2]float64{} // by cell
	for _, r := range records {
		label, again := strings.CutSuffix(r.Text(record.KeyArm), " again")
		if again != (r.Keys[record.KeyPlacebo] == true) {
			t.Errorf("a placebo that is not called so, or the other way round: %v", r.Keys)
		}
		tokens := 0
		if r.Find("tokens") != nil {
			tokens = int(number(t, &r, "tokens"))
		}
		switch r.Text(record.KeyWorkload) {
		case "decode":
			if len(series(t, &r, "latency").Y) != tokens || tokens < 2 || number(t, &r, "duration") <= 0 || key(t, &r, record.KeyThreads) != 2 {
				t.Errorf("decode: %+v", r)
			}
			// RWKV-4: 5 vectors of 8 channels, 3 without shift; RNN: 1.
			want := map[string]float64{"rwkv4 token_shift=learned": 160, "rwkv4 token_shift=none": 96, "plain <b>RNN</b>": 32}[label]
			if got := number(t, &r, "state_bytes"); got != want {
				t.Errorf("%s: %g state bytes, want %g", label, got, want)
			}
			// The shares are of the first visit, whose process takes all samples.
			now := [2]float64{number(t, &r, "gc_share"), number(t, &r, "sched_share")}
			if first, ok := shares[r.Cell]; ok && now != first {
				t.Errorf("round %d: shares %v, they were %v", key(t, &r, record.KeyBlock), now, first)
			}
			shares[r.Cell] = now
			if runtime.GOOS == "linux" && number(t, &r, "peak_rss_bytes") < 1<<20 {
				t.Errorf("peak memory %g", number(t, &r, "peak_rss_bytes"))
			}
		case "prefill":
			if tokens%16 != 0 || tokens == 0 || key(t, &r, "text") != 16 || r.Keys["depth"] != nil {
				t.Errorf("prefill: %+v", r)
			}
		case "train":
			if key(t, &r, "context") != 8 || key(t, &r, "batch") != 2 || tokens%16 != 0 || tokens == 0 {
				t.Errorf("train: %+v", r)
			}
		case "quality":
			checkQuality(t, &r)
		case "check":
			if x := r.Values[len(r.Values)-1]; x.Value == nil || !(*x.Value < 1e-4) || x.Name != "modes" && x.Name != "linear" && x.Name != "scan" {
				t.Errorf("check: %+v", r.Values)
			}
		}
	}
}

func checkQuality(t *testing.T, r *record.Record) {
	t.Helper()
	loss, places := number(t, r, "val_bits_per_byte"), series(t, r, "loss_by_position")
	// The last bucket, from 8 to 16, stands in its geometric middle.
	if key(t, r, "steps") != 4 || loss <= 0 || loss > 9 || len(places.X) != 2 || len(places.Y) != 2 || places.X[1] != math.Sqrt(8*16) || len(r.Notes["weights_sha256"]) != 64 {
		t.Errorf("quality: %+v", r)
	}
	var probes []string
	for _, v := range r.Values {
		if strings.HasPrefix(v.Name, "probe:") {
			probes = append(probes, v.Name)
		}
	}
	if want := map[string][]string{"rwkv4 token_shift=learned": {"probe:shift/1"}}[r.Text(record.KeyArm)]; !slices.Equal(probes, want) {
		t.Errorf("%s: probes %q, want %q", r.Text(record.KeyArm), probes, want)
	}
}

const twoArms = `name: two
arch: [{use: rwkv4, dim: 8, layers: 1}, {use: rnn, dim: 8, layers: 1}]
corpus: grammar
seeds: 1
measure:
  decode: {depth: [4], tokens: 2, rounds: 2, sample_ms: 1}
  prefill: {tokens: 16, chunk: [4], rounds: 2, sample_ms: 1}
  quality: {steps: 2, batch: 2, context: 8, lr: 1e-3, eval_tokens: 64}
`

// TestDeath: a process that dies is a failed record with the reason, the run
// goes on, and resuming measures the group again.
func TestDeath(t *testing.T) {
	for fault, want := range map[string]string{
		"sample rnn kill":  "killed (SIGKILL), perhaps for want of memory",
		"visit rnn panic":  "panic: out of ideas",
		"start rnn exit":   "exit status 3: the last line",
		"sample rnn hang":  "timed out",
		"run rwkv4 panic":  "panic: out of ideas",
		"start rwkv4 kill": "killed (SIGKILL)",
	} {
		t.Run(fault, func(t *testing.T) {
			short := profiles["smoke"]
			short.timeout = 3 * time.Second
			defer func(p profile) { profiles["smoke"] = p }(profiles["smoke"])
			profiles["smoke"] = short

			t.Setenv("FAKE", fault)
			out := filepath.Join(t.TempDir(), "run")
			got, records := run(t, parse(t, twoArms), Options{Profile: "smoke", Out: out})
			if got.Finished == nil {
				t.Error("the run did not go on")
			}
			failed := map[string]bool{}
			for _, r := range records {
				if r.Error == "" {
					continue
				}
				failed[r.Cell] = true
				if !strings.Contains(r.Error, want) || r.Text(record.KeyArch) != strings.Fields(fault)[1] {
					t.Errorf("%s %s failed with %q, want %q", r.Text(record.KeyArm), r.Text(record.KeyWorkload), r.Error, want)
				}
			}
			if n := map[string]int{"sample": 2, "visit": 2, "start": 3, "run": 3}[strings.Fields(fault)[0]]; len(failed) != n {
				t.Errorf("%d cells failed, want %d", len(failed), n)
			}

			t.Setenv("FAKE", "")
			_, records = run(t, nil, Options{Resume: out})
			checkComplete(t, got, records)
		})
	}
}

// checkComplete: every cell has all its records, none of them failed.
func checkComplete(t *testing.T, run *record.Run, records []record.Record) {
	t.Helper()
	count := map[string]int{}
	for _, r := range records {
		if r.Error != "" {
			t.Errorf("failed record %+v", r)
		}
		count[r.Cell]++
	}
	for _, c := range run.Cells {
		want := map[string]int{"decode": 2, "prefill": 2, "quality": 1}[c.Workload]
		if count[c.ID] != want {
			t.Errorf("cell %+v has %d records, want %d", c, count[c.ID], want)
		}
	}
	if len(count) != len(run.Cells) {
		t.Errorf("records of %d cells, %d are planned", len(count), len(run.Cells))
	}
}

// cancelAt ends a run when the text is written.
type cancelAt struct {
	text   string
	cancel func()
}

func (c cancelAt) Write(p []byte) (int, error) {
	if strings.Contains(string(p), c.text) {
		c.cancel()
	}
	return len(p), nil
}

// TestResume: an interrupted run keeps its finished groups, byte for byte, and
// measures the others anew; finished runs are not measured again.
func TestResume(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	// The second group fails for one arm: its failure ends the run.
	t.Setenv("FAKE", "sample rnn panic")
	text := strings.Replace(twoArms, "depth: [4]", "depth: [4, 8]", 1)
	ctx, cancel := context.WithCancel(context.Background())
	_, err := Run(ctx, parse(t, text), Options{Profile: "smoke", Out: out, Progress: cancelAt{"failed: two rnn, prefill", cancel}})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "workbench run --resume "+out) {
		t.Fatalf("error %v does not tell how to go on", err)
	}
	before, records, err := record.Load(out)
	if err != nil || before.Finished != nil || len(only(records, "decode")) == 0 {
		t.Fatalf("%+v, %d records, %v", before, len(records), err)
	}

	t.Setenv("FAKE", "")
	after, records := run(t, nil, Options{Resume: out})
	checkComplete(t, after, records)
	if after.StudyYAML != before.StudyYAML || !after.Started.Equal(before.Started) || !reflect.DeepEqual(after.Cells, before.Cells) {
		t.Errorf("resuming changed the run: %+v, it was %+v", after, before)
	}
	if _, err := Run(context.Background(), parse(t, text), Options{Out: out}); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a run overwrites another: %v", err)
	}
}

// TestResumeKeeps: what was finished is not measured again.
func TestResumeKeeps(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	got, before := run(t, parse(t, twoArms), Options{Profile: "smoke", Out: out})
	// As if killed while the last quality cell ran, in the middle of a line.
	got.Finished = nil
	if err := record.SaveRun(out, got); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(out, record.RecordsFile)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text[:len(text)-20], 0o644); err != nil {
		t.Fatal(err)
	}
	after, records := run(t, nil, Options{Resume: out})
	checkComplete(t, after, records)
	n := len(before) - 1
	if !reflect.DeepEqual(records[:n], before[:n]) {
		t.Error("finished records changed")
	}
	if len(after.Warnings) > 0 {
		t.Errorf("warnings: %q", after.Warnings)
	}
	if a, b := records[n].Notes, before[n].Notes; a["weights_sha256"] == "" || a["weights_sha256"] != b["weights_sha256"] {
		t.Error("the same cell trained to other weights")
	}
}

// TestApart: processes that do not fit into memory together run one after the
// other, afresh in every round.
func TestApart(t *testing.T) {
	defer func(m float64) { memoryMargin = m }(memoryMargin)
	memoryMargin = 1e12
	started := filepath.Join(t.TempDir(), "started")
	t.Setenv("STARTED", started)
	got, records := run(t, parse(t, twoArms), Options{Profile: "smoke", Out: filepath.Join(t.TempDir(), "run")})
	checkComplete(t, got, records)
	lines, err := os.ReadFile(started)
	if err != nil {
		t.Fatal(err)
	}
	// Each to be visited, and with the placebo to take the samples of two rounds.
	if n := strings.Count(string(lines), "decode "); n != 2+3*2 {
		t.Errorf("%d processes were started for decode, want one for each model and then three for each round, 8:\n%s", n, lines)
	}
}

// TestShared: cells of two parts that compute the same are computed once.
func TestShared(t *testing.T) {
	s := parse(t, `name: two
corpus: grammar
seeds: 1
parts:
  - name: a
    arch: [{use: rwkv4, dim: 8, layers: 1}, {use: rnn, dim: 8, layers: 1}]
    measure: {quality: {steps: 2, batch: 2, context: 8, lr: 1e-3, eval_tokens: 64}}
  - name: b
    arch: [{use: rwkv4, dim: 8, layers: [1, 2]}]
    measure: {quality: {steps: 2, batch: 2, context: 8, lr: {rwkv4: 1e-3}, eval_tokens: 64}}
`)
	var log strings.Builder
	_, records := run(t, s, Options{Profile: "smoke", Out: filepath.Join(t.TempDir(), "run"), Progress: &log})
	if n := strings.Count(log.String(), "held-out loss"); n != 3 || len(records) != 4 {
		t.Errorf("%d models were trained for %d records, want 3 for 4", n, len(records))
	}
	hashes := map[string]string{}
	for _, r := range records {
		hashes[r.Text(record.KeyPart)+" "+r.Text(record.KeyArm)] = r.Notes["weights_sha256"]
	}
	if hashes["a rwkv4"] == "" || hashes["a rwkv4"] != hashes["b rwkv4 layers=1"] {
		t.Errorf("hashes are %v", hashes)
	}
}

// TestMissingCorpusLeavesNothing: a run that cannot begin leaves no folder.
func TestMissingCorpusLeavesNothing(t *testing.T) {
	s, err := Load("token-shift")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "run")
	if _, err := Run(context.Background(), s, Options{Out: dir, Corpus: filepath.Join(dir, "nowhere")}); err == nil {
		t.Error("a missing corpus is no error")
	}
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder of the run is left behind")
	}
}
