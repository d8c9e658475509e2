package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"reflect"
	"strings"

	"workbench/arch"
	"workbench/arch/settings"
	"workbench/experiments"
	"workbench/experiments/corpus"
	"workbench/experiments/record"
	"workbench/experiments/workload"
	"workbench/kernels"
	"workbench/kernels/kerneltest"
)

var listCommand = command{
	name:    "list",
	short:   "List the studies, the architectures and their settings, the corpora, the kernels, the workloads and the quantities.",
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
	Corpora       []corpusItem `json:"corpora"`
	Kernels       []kernelItem `json:"kernels"`
	Workloads     []workItem   `json:"workloads"`
	Meters        []namedItem  `json:"meters"` // the quantities of records, by name
}

type workItem struct {
	Name    string            `json:"name"`
	Title   string            `json:"title"`
	Axis    string            `json:"axis,omitempty"`
	Options []workload.Option `json:"options"`
}

type studyItem struct {
	Name     string `json:"name"`
	Question string `json:"question"`
}

type archItem struct {
	Name string `json:"name"`
	support
	Options []settings.Option `json:"options"`
}

type kernelItem struct {
	Name            string   `json:"name"`
	Implementations []string `json:"implementations"`
}

type namedItem struct {
	Name string `json:"name"`
	Doc  string `json:"doc"`
}

// corpusItem is a source of tokens.
type corpusItem struct {
	namedItem
	Options []settings.Option `json:"options,omitempty"`
}

func corpora() (items []corpusItem) {
	for _, e := range corpus.Entries() {
		items = append(items, corpusItem{namedItem{e.Name, e.Doc}, e.Options})
	}
	return append(items, corpusItem{namedItem{"PATH", "any text file, or the text files of a folder"}, nil})
}

func takeInventory() (inventory, error) {
	inv := inventory{Corpora: corpora()}
	for _, w := range workload.All() {
		item := workItem{Name: w.Name, Title: w.Title, Options: w.Options()}
		if w.Axis != nil {
			item.Axis = w.Axis.Key
		}
		inv.Workloads = append(inv.Workloads, item)
	}
	for _, q := range record.Quantities() {
		doc := strings.TrimRight(q.Title, ": ") + ", " + string(q.Kind)
		if q.Unit != "" {
			doc += ", in " + q.Unit
		}
		inv.Meters = append(inv.Meters, namedItem{q.Name, doc})
	}
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
	for _, c := range inv.Corpora {
		printItems(w, []namedItem{c.namedItem})
		for _, o := range c.Options {
			fmt.Fprintf(w, "    %-34s %s\n", settingOf(o), o.Doc)
		}
	}
	fmt.Fprintf(w, "\nKernels (workbench bench kernels NAME; implementations here: %s; in use: %s)\n", strings.Join(kernels.Impls(), ", "), kernels.Impl())
	for i := 0; i < len(inv.Kernels); i += 5 {
		for _, k := range inv.Kernels[i:min(i+5, len(inv.Kernels))] {
			fmt.Fprintf(w, "  %-18s", k.Name)
		}
		fmt.Fprintln(w)
	}
	fmt.Fprint(w, "\nWorkloads (measure: of a study) and their settings\n")
	for _, item := range inv.Workloads {
		along := ""
		if item.Axis != "" {
			along = ", along " + item.Axis
		}
		fmt.Fprintf(w, "  %s: %s%s\n", item.Name, item.Title, along)
		for _, o := range item.Options {
			setting := o.Key
			if !reflect.ValueOf(o.Default).IsZero() {
				setting += strings.Join(strings.Fields(fmt.Sprintf("=%v", o.Default)), ",")
			}
			fmt.Fprintf(w, "    %-34s %s\n", setting, o.Doc)
		}
	}
	fmt.Fprint(w, "\nQuantities (values of records.jsonl, metrics of claims)\n")
	printItems(w, inv.Meters)
}

// settingOf is a setting with its default, and its values where they are named.
func settingOf(o settings.Option) string {
	if len(o.Values) == 0 {
		return fmt.Sprintf("%s=%v", o.Key, o.Default)
	}
	return o.Key + "=" + strings.Join(o.Values, "|")
}

func printItems(w io.Writer, items []namedItem) {
	for _, it := range items {
		fmt.Fprintf(w, "  %-26s %s\n", it.Name, it.Doc)
	}
}

func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
