package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"

	"workbench/arch"
	"workbench/experiments"
	"workbench/kernels"
	"workbench/kernels/kerneltest"
)

var listCommand = command{
	name:    "list",
	short:   "List the studies, the architectures and their settings, the corpora, the kernels and the meters.",
	example: "workbench list --json",
	setup: func(fs *flag.FlagSet) body {
		asJSON := fs.Bool("json", false, "print JSON")
		return func(args []string, out output) error {
			if err := noArgs(args); err != nil {
				return err
			}
			inv, err := takeInventory()
			if err != nil {
				return err
			}
			if *asJSON {
				return printJSON(out.stdout, inv)
			}
			inv.print(out.stdout)
			return nil
		}
	},
}

// inventory is what there is to choose from.
type inventory struct {
	Studies       []studyItem  `json:"studies"`
	Architectures []archItem   `json:"architectures"`
	Corpora       []namedItem  `json:"corpora"`
	Kernels       []kernelItem `json:"kernels"`
	Meters        []namedItem  `json:"meters"`
}

type studyItem struct {
	Name     string `json:"name"`
	Question string `json:"question"`
}

type archItem struct {
	Name string `json:"name"`
	support
	Options []arch.Option `json:"options"`
}

type kernelItem struct {
	Name            string   `json:"name"`
	Implementations []string `json:"implementations"`
}

type namedItem struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
}

var corpora = []namedItem{
	{"go", "source of the standard library of the Go toolchain found here, grammar where there is none (the default)"},
	{"grammar", "a seeded synthetic language, the same bytes everywhere"},
	{"PATH", "any text file, or the text files of a folder"},
}

// meters are the fields of a record that hold a measurement.
var meters = []namedItem{
	{"duration_ns", "wall time of a sample, monotonic clock"},
	{"latency_ns", "wall time of every token of a decode sample"},
	{"cpu_ns", "user and system time of the cell's process"},
	{"gc_share", "garbage collector's share of the CPU time, from Go's execution trace"},
	{"sched_share", "share of goroutine time spent runnable but not running, from Go's execution trace"},
	{"state_bytes", "bytes of the live state, walked"},
	{"peak_rss_bytes", "peak resident memory of the cell's own process"},
	{"heap_bytes", "live Go heap"},
	{"arena_bytes", "most memory that activations held"},
	{"energy", "joules by source, each with its tier: counter, estimate or n/a with the reason"},
	{"quality", "held-out bits per byte: curve, by position, with parts of the state forgotten"},
	{"check", "exact properties of the live model: modes, linear, scan"},
}

func takeInventory() (inventory, error) {
	inv := inventory{Corpora: corpora, Meters: meters}
	for _, name := range experiments.Catalog() {
		s, err := experiments.Load(name)
		if err != nil {
			return inv, err
		}
		inv.Studies = append(inv.Studies, studyItem{name, strings.Join(strings.Fields(s.Question), " ")})
	}
	for _, name := range arch.Names() {
		inv.Architectures = append(inv.Architectures, archItem{name, supported[name], arch.Options(name)})
	}
	seen := map[string]bool{}
	for _, c := range kerneltest.Cases() {
		if !seen[c.Kernel] {
			seen[c.Kernel] = true
			inv.Kernels = append(inv.Kernels, kernelItem{c.Kernel, kernels.Impls()})
		}
	}
	return inv, nil
}

func (inv inventory) print(w io.Writer) {
	fmt.Fprintln(w, "Studies (workbench run NAME, workbench show NAME)")
	for _, s := range inv.Studies {
		fmt.Fprintf(w, "  %-16s %s\n", s.Name, s.Question)
	}
	fmt.Fprint(w, "\nArchitectures and their settings\n")
	for _, a := range inv.Architectures {
		fmt.Fprintf(w, "  %s: %s\n", a.Name, a.Source)
		fmt.Fprintf(w, "    reads a text %s, keeping %s a layer; model files: %s; training checked against %s\n", a.Modes, a.State, a.Files, a.Training)
		for _, o := range a.Options {
			fmt.Fprintf(w, "    %-34s %s\n", settingOf(o), o.Doc)
		}
	}
	fmt.Fprint(w, "\nCorpora\n")
	printItems(w, inv.Corpora)
	fmt.Fprintf(w, "\nKernels (workbench bench kernels NAME; implementations here: %s; in use: %s)\n", strings.Join(kernels.Impls(), ", "), kernels.Impl())
	for i := 0; i < len(inv.Kernels); i += 5 {
		for _, k := range inv.Kernels[i:min(i+5, len(inv.Kernels))] {
			fmt.Fprintf(w, "  %-18s", k.Name)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\nMeters (fields of records.jsonl)\n")
	printItems(w, inv.Meters)
}

// settingOf is a setting with its default, and its values where they are named.
func settingOf(o arch.Option) string {
	if len(o.Values) == 0 {
		return fmt.Sprintf("%s=%v", o.Key, o.Default)
	}
	return o.Key + "=" + strings.Join(o.Values, "|")
}

func printItems(w io.Writer, items []namedItem) {
	for _, it := range items {
		fmt.Fprintf(w, "  %-16s %s\n", it.Name, it.Doc)
	}
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
