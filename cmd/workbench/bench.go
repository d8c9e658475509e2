package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"workbench/experiments/meter"
	"workbench/experiments/workload"
	"workbench/kernels"
	"workbench/kernels/kerneltest"
)

var benchCommand = command{
	name:  "bench",
	args:  "kernels [REGEXP] | prefill | decode | train | layer",
	short: "One figure quickly: kernels, or a model's prefill, decode, train or layer (what its operations take of a training step), beside the ceiling of this machine measured in the same process.",
	example: "workbench bench kernels 'matmul|attention'\n" +
		"workbench bench decode --arch rwkv7 --set dim=768,layers=12,vocab=65536 --dtype q8_0\n" +
		"workbench bench prefill --model rwkv7.gguf --tokens 512",
	mode:  benchMode,
	rules: []rule{{"model", false, []string{"arch"}, "the file says what its architecture is"}},
	setup: func(fs *flag.FlagSet) body {
		var b bench
		fs.StringVar(&b.arch, "arch", "rwkv4", "`ARCH` of the model, with random weights: see workbench list")
		fs.StringVar(&b.set, "set", "", "its configuration, `key=value,...` (dim=768,layers=12)")
		fs.StringVar(&b.model, "model", "", "a model `FILE` in place of --arch")
		fs.StringVar(&b.dtype, "dtype", "", "`TYPE` the matrices are stored as: f32, bf16, f16, q8_0, q4_0, or file, as --model holds them (default f32; file with --model, but f32 to train; kernels: all)")
		fs.IntVar(&b.threads, "threads", 0, "`N` threads, 0: all (kernels: one and all)")
		fs.IntVar(&b.context, "context", 0, "prefill, decode: `N` tokens read before; train, layer: tokens a sequence (default 128 and 512)")
		fs.IntVar(&b.tokens, "tokens", 0, "`N` tokens a sample: prefill 512, decode 16, a step of train or layer 2048 by default")
		fs.IntVar(&b.chunk, "chunk", 0, "prefill: `N` tokens at a time, 0: all at once")
		fs.BoolVar(&b.cascade, "cascade", false, "prefill: layers at work side by side on successive chunks")
		fs.IntVar(&b.batch, "batch", 0, "`N` sequences side by side (default 1; train, layer: as many as make up --tokens)")
		fs.IntVar(&b.repeat, "repeat", 5, "`N` samples of everything, taken in turn")
		fs.StringVar(&b.format, "format", "table", "`FORMAT`: table, json (a line a row, with every sample) or bench (for benchstat)")
		return func(args []string, out output) error {
			b.given = given(fs)
			if err := b.check(args); err != nil {
				return usageError{err}
			}
			b.out = out
			switch args[0] {
			case kindKernels:
				return b.kernels(strings.Join(args[1:], ""), kerneltest.Cases())
			case kindLayer:
				return b.layer()
			}
			return b.models(args[0])
		}
	},
}

// bench is what the flags say.
type bench struct {
	arch, set, model, dtype, format                string
	threads, context, tokens, batch, repeat, chunk int
	cascade                                        bool

	given func(flag string) bool // on the command line
	out   output
}

// benchMode is one of the modes of the table.
func benchMode(_ *flag.FlagSet, args []string) (mode, bool) {
	if len(args) == 0 || benchUses[args[0]] == nil {
		return mode{}, false
	}
	return mode{name: "bench " + args[0], uses: append([]string{"threads", "repeat", "format"}, benchUses[args[0]]...)}, true
}

// Kinds of bench: two of its own, and workloads by their names.
const (
	kindKernels = "kernels"
	kindLayer   = "layer"
)

var (
	kindPrefill = workload.Of(&workload.Prefill{}).Name
	kindDecode  = workload.Of(&workload.Decode{}).Name
	kindTrain   = workload.Of(&workload.Train{}).Name
)

// benchUses are the flags of every kind, beside those that all use.
var benchUses = map[string][]string{
	kindKernels: {"dtype"},
	kindPrefill: {"arch", "set", "model", "dtype", "context", "tokens", "chunk", "cascade", "batch"},
	kindDecode:  {"arch", "set", "model", "dtype", "context", "tokens", "batch"},
	kindTrain:   {"arch", "set", "model", "dtype", "context", "tokens", "batch"},
	kindLayer:   {"arch", "set", "model", "dtype", "context", "tokens", "batch"},
}

func (b *bench) check(args []string) error {
	switch {
	case len(args) == 0 || benchUses[args[0]] == nil:
		return errors.New("say what to time: one of kernels, prefill, decode, train, layer")
	case len(args) > 2 || len(args) == 2 && args[0] != kindKernels:
		return fmt.Errorf("unexpected argument %q", args[len(args)-1])
	case !slices.Contains([]string{"table", "json", "bench"}, b.format):
		return fmt.Errorf("--format %s is not one of table, json, bench", b.format)
	case b.cascade && b.chunk == 0:
		return errors.New("--cascade wants the tokens of a chunk: --chunk 8")
	}
	if err := b.checkNumbers(args[0]); err != nil {
		return err
	}
	if args[0] == kindKernels && b.dtype == "" {
		return nil // all
	}
	return b.checkType(trains(args[0]))
}

// checkNumbers refuses what cannot be timed. A flag that was left out is 0.
func (b *bench) checkNumbers(kind string) error {
	train := trains(kind)
	shortest := 0
	if train {
		shortest = 1
	}
	for _, f := range []struct {
		name     string
		n, least int
	}{{"context", b.context, shortest}, {"tokens", b.tokens, 1}, {"chunk", b.chunk, 0}, {"batch", b.batch, 1}} {
		if err := inRange(f.name, f.n, f.least, most); err != nil && b.given(f.name) {
			return err
		}
	}
	if err := errors.Join(checkThreads(b.threads), inRange("repeat", b.repeat, 1, 1e6)); err != nil || !train || b.tokens == 0 {
		return err
	}
	switch B, T := b.window(kind); {
	case B*T == b.tokens:
	case b.batch > 0:
		return fmt.Errorf("--batch %d of %d tokens each and --tokens %d contradict each other: leave one out", b.batch, T, b.tokens)
	default:
		return fmt.Errorf("--tokens %d are not whole sequences of %d tokens: give another --context", b.tokens, T)
	}
	return nil
}

// trains tells the kinds of bench that compute gradients.
func trains(kind string) bool { return kind == kindTrain || kind == kindLayer }

// window is what a sample works on: B sequences of T tokens.
func (b *bench) window(kind string) (B, T int) {
	switch kind {
	case kindPrefill:
		return orDefault(b.batch, 1), orDefault(b.tokens, 512)
	case kindDecode:
		return orDefault(b.batch, 1), orDefault(b.tokens, 16)
	}
	tokens := orDefault(b.tokens, 2048)
	T = orDefault(b.context, min(tokens, map[string]int{kindTrain: 128, kindLayer: 512}[kind]))
	return orDefault(b.batch, max(1, tokens/T)), T
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// checkType settles what matrices are stored as.
func (b *bench) checkType(train bool) error {
	switch {
	case b.dtype == "" && b.model != "" && !train:
		b.dtype = asFile
	case b.dtype == "":
		b.dtype = kernels.F32.String()
	case train && b.dtype != kernels.F32.String():
		return fmt.Errorf("training is in float32: leave out --dtype %s", b.dtype)
	}
	if b.dtype == asFile && b.model != "" {
		return nil
	}
	_, err := kernels.ParseDType(b.dtype)
	return err
}

// row is one figure: what programs read.
type row struct {
	Bench   string `json:"bench"`
	Kernel  string `json:"kernel,omitempty"`
	Arch    string `json:"arch,omitempty"`
	Model   string `json:"model,omitempty"` // its file
	Impl    string `json:"impl"`
	Shape   string `json:"shape,omitempty"`
	Params  int    `json:"params,omitempty"`
	Depth   *int   `json:"depth,omitempty"`
	DType   string `json:"dtype"`
	Threads int    `json:"threads"`

	Value       float64 `json:"value"` // the median of the samples
	Unit        string  `json:"unit"`
	Ceiling     float64 `json:"ceiling"`
	CeilingName string  `json:"ceiling_name"`
	Percent     float64 `json:"percent"`
	// Paired is the median share of what the ceiling was just before and after
	// each sample: on a machine whose speed comes and goes, the one to compare.
	Paired  float64   `json:"paired_percent,omitempty"`
	Samples []float64 `json:"samples"`
	// Fault says what is wrong with the figure, Error why there is none.
	Fault string `json:"fault,omitempty"`
	Error string `json:"error,omitempty"`
}

// finish derives the figures from the samples and the ceiling.
func (r *row) finish(ceiling float64, name string) {
	if r.Error != "" {
		return
	}
	r.Value = median(r.Samples)
	r.Ceiling, r.CeilingName = ceiling, name
	r.Percent = 100 * r.Value / ceiling
	if r.Percent > 100 {
		r.Fault = "above the measured ceiling: it was disturbed, a cache holds part of the data, or a cache wrote beside reading"
	}
}

// pair is finish with the ceilings around each sample, one more than those.
func (r *row) pair(around []float64) {
	shares := make([]float64, len(r.Samples))
	for i, v := range r.Samples {
		shares[i] = 100 * v / ((around[i] + around[i+1]) / 2)
	}
	r.Paired = median(shares)
}

func median(x []float64) float64 {
	sorted, n := slices.Sorted(slices.Values(x)), len(x)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// name is the row's in Go's benchmark format.
func (r *row) name() string {
	parts := []string{r.Bench + "/" + r.Kernel + r.Arch, "impl=" + r.Impl, "dtype=" + r.DType}
	if r.Shape != "" {
		parts = append(parts, "shape="+strings.ReplaceAll(r.Shape, " ", "x"))
	}
	if r.Depth != nil {
		parts = append(parts, fmt.Sprintf("depth=%d", *r.Depth))
	}
	return "Benchmark" + strings.ToUpper(r.Bench[:1]) + strings.Join(parts, "/")[1:] + fmt.Sprintf("-%d", r.Threads)
}

// print writes the rows in the format asked for; an error where one has none.
func (b *bench) print(rows []*row, notes ...string) error {
	w := b.out.stdout
	failed := 0
	switch b.format {
	case "json":
		enc := json.NewEncoder(w)
		for _, r := range rows {
			if err := enc.Encode(r); err != nil {
				return err
			}
		}
	case "bench":
		fmt.Fprintf(w, "goos: %s\ngoarch: %s\n", runtime.GOOS, runtime.GOARCH)
		for _, r := range rows {
			for _, v := range r.Samples {
				fmt.Fprintf(w, "%s 1 %g %s\n", r.name(), v, r.Unit)
			}
		}
	default:
		printRows(w, rows)
	}
	for _, r := range rows {
		if r.Error != "" {
			failed++
			fmt.Fprintf(b.out.stderr, "%s %s %s: no speed: %s\n", r.Kernel+r.Arch, r.Impl, r.Shape, r.Error)
		}
	}
	for _, n := range notes {
		fmt.Fprintln(b.out.stderr, n)
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d rows failed", failed, len(rows))
	}
	return nil
}

func printRows(w io.Writer, rows []*row) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "what\timpl\tdtype\tshape\tthreads\tmedian\tunit\tceiling\t\tshare\tpaired")
	for _, r := range rows {
		what, shape := r.Kernel+r.Arch, r.Shape
		if r.Depth != nil {
			shape = strings.TrimSpace(shape + fmt.Sprintf(" depth %d", *r.Depth))
		}
		if r.Error != "" {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\tn/a\n", what, r.Impl, r.DType, shape, r.Threads)
			continue
		}
		share := fmt.Sprintf("%.1f %%", r.Percent)
		if r.Fault != "" {
			share += " FAULT"
		}
		paired := ""
		if r.Paired > 0 {
			paired = fmt.Sprintf("%.1f %%", r.Paired)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", what, r.Impl, r.DType, shape, r.Threads,
			threeDigits(r.Value), r.Unit, threeDigits(r.Ceiling), r.CeilingName, share, paired)
	}
	t.Flush()
}

// threeDigits is v with three significant digits, without an exponent.
func threeDigits(v float64) string {
	if v == 0 {
		return "0"
	}
	return fmt.Sprintf("%.*f", max(0, 2-int(math.Floor(math.Log10(math.Abs(v))))), v)
}

// threadCounts is what --threads means: that many, or all; with one where both
// are wanted.
func (b *bench) threadCounts(both bool) []int {
	all := runtime.GOMAXPROCS(0)
	switch {
	case b.threads > 0:
		return []int{b.threads}
	case both:
		return slices.Compact([]int{1, all})
	}
	return []int{all}
}

// benchCeilings are measured before the work, between its rounds and after it:
// the highest counts, so that a low one cannot flatter.
type benchCeilings struct {
	*meter.Ceilings
	threads []int
}

const (
	steadily = 150 * time.Millisecond // for a ceiling, before and after
	briefly  = 30 * time.Millisecond  // between rounds
)

func newCeilings(threads []int) *benchCeilings {
	c := &benchCeilings{meter.NewCeilings(), threads}
	c.measure(steadily)
	return c
}

func (c *benchCeilings) measure(d time.Duration) { c.Measure(c.threads, d) }

// fmaCeiling is among the names of ceilings that of arithmetic.
const fmaCeiling = "FMA"

// now is what the last measurement found with the first number of threads.
func (c *benchCeilings) now() map[string]float64 {
	rates := map[string]float64{}
	for name, by := range c.Now {
		rates[name] = by[c.threads[0]]
	}
	return rates
}

// progress tells how far the samples are; count has taken one more of total.
func (b *bench) progress(total int) (count, end func()) {
	p := newProgress(b.out.stderr)
	return func() { p.Count(1, total, "samples") }, p.End
}
