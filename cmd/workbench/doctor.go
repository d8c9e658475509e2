package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"workbench/experiments/meter"
	"workbench/experiments/record"
	"workbench/kernels"
)

var doctorCommand = command{
	name:    "doctor",
	short:   "Describe this machine: CPU features, measured ceilings, energy sources and how to unlock them, noise floor, warnings.",
	example: "workbench doctor --json",
	setup: func(fs *flag.FlagSet) body {
		asJSON := fs.Bool("json", false, "print JSON")
		return func(args []string, out output) error {
			if err := noArgs(args); err != nil {
				return err
			}
			host := meter.Describe(false)
			if *asJSON {
				return printJSON(out.stdout, host)
			}
			printHost(out.stdout, host)
			return nil
		}
	},
}

func printHost(w io.Writer, h record.Host) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(t, name+"\t"+format+"\n", args...) }
	row("CPU", "%s, %d cores", h.CPU, h.Cores)
	row("Memory", "%s", size(h.MemBytes))
	row("System", "%s, %s", h.OS, h.Go)
	row("Features", "%s", orNone(strings.Join(h.Features, " ")))
	row("Kernels", "%s in use, of %s", kernels.Impl(), strings.Join(kernels.Impls(), ", "))
	row("Caches", "%s", orNone(each(h.Caches, func(level string, n int64) string { return level + " " + size(n) })))
	row("FMA peak", "%s", orNone(each(h.FMAPeak, func(n string, v float64) string { return fmt.Sprintf("%.1f GFLOP/s with %s", v, threads(n)) })))
	row("Memory read", "%s", orNone(each(h.ReadGBs, func(n string, v float64) string { return fmt.Sprintf("%.1f GB/s with %s", v, threads(n)) })))
	for _, level := range slices.Sorted(maps.Keys(h.ReadLevels)) {
		row(level+" read", "%s", each(h.ReadLevels[level], func(n string, v float64) string { return fmt.Sprintf("%.1f GB/s with %s", v, threads(n)) }))
	}
	if h.NoiseFloor != nil {
		row("Noise floor", "%.1f %% between identical measurements (A/A)", 100**h.NoiseFloor)
	} else {
		row("Noise floor", "n/a")
	}
	for _, e := range h.Energy {
		line := e.Tier + ": " + e.Domain + ", " + e.Source
		if e.Reason != "" {
			line += " (" + e.Reason + ")"
		}
		row("Energy", "%s", line)
	}
	for _, warning := range h.Warnings {
		row("Warning", "%s", warning)
	}
	t.Flush()
}

// each joins the entries of m in the order of their keys.
func each[V any](m map[string]V, format func(string, V) string) string {
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, format(k, m[k]))
	}
	return strings.Join(parts, ", ")
}

func orNone(s string) string {
	if s == "" {
		return "n/a"
	}
	return s
}

func threads(n string) string {
	if n == "1" {
		return "1 thread"
	}
	return n + " threads"
}

// size is a number of bytes, n/a where it is not known.
func size(n int64) string {
	if n <= 0 {
		return "n/a"
	}
	return meter.Size(float64(n))
}
