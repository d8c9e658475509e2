package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLabels: runs of one configuration but for the seed have one label, and
// all others labels that name what differs and nothing else.
func TestLabels(t *testing.T) {
	job := func(change func(*trainJob)) *trainJob {
		j := &trainJob{Arch: "rwkv4", Config: map[string]any{"dim": 16.0, "vocab": 256.0, "token_shift": "learned"},
			Corpora: []trainText{{"/x/a.txt", "aaaaaaaaaaaa"}}, Tokenizer: "bytes", TokenizerSHA256: "bbbb", HeldOut: 0.1}
		j.Plan.Steps, j.Plan.Batch, j.Plan.LR, j.Plan.MinLR = 100, 8, 0.01, 0.001
		change(j)
		return j
	}
	same := func(*trainJob) {}
	for _, c := range []struct {
		change []func(*trainJob)
		want   []string
	}{
		{[]func(*trainJob){same, func(j *trainJob) { j.Plan.Seed, j.CheckpointEvery, j.Corpora[0].Name = 7, 3, "/y/b.txt" }}, []string{"rwkv4", "rwkv4"}},
		{[]func(*trainJob){same, func(j *trainJob) { j.Config["token_shift"] = "none" }}, []string{"rwkv4 token_shift=learned", "rwkv4 token_shift=none"}},
		{[]func(*trainJob){same, func(j *trainJob) { j.Arch, j.Config = "rnn", map[string]any{"dim": 16.0, "vocab": 256.0} }}, []string{"rwkv4", "rnn"}},
		{[]func(*trainJob){same, func(j *trainJob) { j.Plan.LR, j.Plan.MinLR = 0.02, 0.002 }}, []string{"rwkv4 lr 0.01", "rwkv4 lr 0.02"}},
		{[]func(*trainJob){same, func(j *trainJob) { j.Plan.MinLR = 0.002 }}, []string{"rwkv4 min-lr 0.001", "rwkv4 min-lr 0.002"}},
		{[]func(*trainJob){same, func(j *trainJob) { j.Plan.Steps, j.Plan.Warmup = 200, 10 }}, []string{"rwkv4 steps 100", "rwkv4 steps 200"}},
		{[]func(*trainJob){same, func(j *trainJob) { j.Corpora[0] = trainText{"/x/b.txt", "cccccccccccc"}; j.Plan.Batch = 2 }},
			[]string{"rwkv4 corpus a.txt batch 8", "rwkv4 corpus b.txt batch 2"}},
		{[]func(*trainJob){same, func(j *trainJob) { j.Corpora[0].SHA256 = "cccccccccccc" }}, []string{"rwkv4 text sha256 aaaaaaaa", "rwkv4 text sha256 cccccccc"}},
		{[]func(*trainJob){same, func(j *trainJob) { j.Documents = "\n" }, same}, []string{`rwkv4 documents ""`, `rwkv4 documents "\n"`, `rwkv4 documents ""`}},
	} {
		var all [][]setting
		for _, f := range c.change {
			s, err := job(f).settings()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, s)
		}
		if got := labels(all); !slices.Equal(got, c.want) {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

// TestReportOfTrainings draws seeds as a mean and other runs beside it, and
// says what is which.
func TestReportOfTrainings(t *testing.T) {
	dir := t.TempDir()
	var dirs []string
	for _, more := range [][]string{{"--seed", "1"}, {"--seed", "2"}, {"--batch", "3"}} {
		d := filepath.Join(dir, more[1]+more[0])
		mustCall(t, append(append(tinyRun, more...), "--out", d)...)
		dirs = append(dirs, d)
	}
	out, errs := mustCall(t, append([]string{"report", "--format", "svg"}, dirs...)...)
	if out != filepath.Join(dirs[0], "curves.svg")+"\n" || !strings.Contains(errs, "rnn batch 2: the mean of 2 seeds (1, 2)") {
		t.Errorf("%q, %q", out, errs)
	}
}
