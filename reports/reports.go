// Package reports turns the records of a run into a page, figures and tables.
// A report is a pure function of records: rendering twice gives the same bytes
// and needs no model. Statistics come from experiments/stats.
package reports

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"workbench/arch/files"
)

// Formats are what Render writes: html is one self-contained page, png and svg
// the figures, csv the tables, the figures' numbers and the raw samples, md
// the page as Markdown.
func Formats() []string { return []string{"csv", "html", "md", "png", "svg"} }

// Render writes the report of the run in dir beside its records and returns
// the path of each format: report.html, report.md, or the folder figures or
// tables. It returns an error for a format it does not know, naming those it
// does, and for a folder without a readable run. Files are replaced whole.
func Render(dir string, formats []string) (map[string]string, error) {
	for _, f := range formats {
		if !slices.Contains(Formats(), f) {
			return nil, fmt.Errorf("unknown report format %q: known are %s", f, strings.Join(Formats(), ", "))
		}
	}
	v, err := load(dir)
	if err != nil {
		return nil, err
	}
	n := v.notebook()
	paths := map[string]string{}
	for _, f := range formats {
		if _, done := paths[f]; done {
			continue
		}
		switch f {
		case "html":
			paths[f], err = n.saveHTML(dir)
		case "md":
			paths[f], err = n.saveMarkdown(dir, picture(formats))
		case "csv":
			paths[f], err = n.saveCSV(dir, v)
		default:
			paths[f], err = n.saveFigures(dir, f)
		}
		if err != nil {
			return nil, fmt.Errorf("render %s: %w", f, err)
		}
	}
	return paths, nil
}

// picture is the format of the figures that a Markdown report may show.
func picture(formats []string) string {
	for _, f := range []string{"svg", "png"} {
		if slices.Contains(formats, f) {
			return f
		}
	}
	return ""
}

// Summary prints the claims, the comparisons and what is missing of the run in
// dir as tables for a terminal.
func Summary(w io.Writer, dir string) error {
	v, err := load(dir)
	if err != nil {
		return err
	}
	n := v.notebook()
	fmt.Fprintf(w, "%s\n", n.Title)
	if n.Question != "" {
		fmt.Fprintf(w, "%s\n", n.Question)
	}
	fmt.Fprintln(w)
	for _, line := range n.Glance {
		if line.Kind == "note" {
			fmt.Fprintf(w, "%s\n", line.Text)
		}
	}
	if len(n.Judgements) > 0 {
		t := &Table{Columns: []string{"Verdict", "Claim", "Measured [95 % interval]"}, Text: 3}
		for _, j := range n.Judgements {
			t.add(j.short(), j.Says, orNA(j.numbers(), len(j.Rules) > 0))
		}
		if err := printTable(w, "Claims", t); err != nil {
			return err
		}
	}
	for _, part := range v.parts {
		for _, b := range v.comparisonBlocks(part) {
			if err := printTable(w, part.Title, b.Table); err != nil {
				return err
			}
		}
	}
	for _, b := range v.missingSection().Blocks {
		if b.Table != nil {
			if err := printTable(w, b.Heading, b.Table); err != nil {
				return err
			}
		}
	}
	return nil
}

func printTable(w io.Writer, title string, t *Table) error {
	fmt.Fprintf(w, "\n%s\n", title)
	return t.terminal(w)
}

func (n *Notebook) saveFigures(dir, format string) (string, error) {
	folder := filepath.Join(dir, "figures")
	for _, f := range n.figures() {
		b, err := f.picture(format)
		if err != nil {
			return "", fmt.Errorf("figure %s: %w", f.Name, err)
		}
		if err := writeFile(filepath.Join(folder, f.Name+"."+format), b); err != nil {
			return "", err
		}
	}
	return folder, os.MkdirAll(folder, 0o755)
}

// saveCSV writes every table, the numbers of every figure, and the samples.
func (n *Notebook) saveCSV(dir string, v *view) (string, error) {
	folder := filepath.Join(dir, "tables")
	save := func(name string, b []byte, err error) error {
		if err != nil {
			return err
		}
		return writeFile(filepath.Join(folder, name+".csv"), b)
	}
	for _, t := range n.tables() {
		b, err := t.csv()
		if err := save(t.Name, b, err); err != nil {
			return "", err
		}
	}
	for _, f := range n.figures() {
		b, err := csvBytes(f.numbers())
		if err := save("figure-"+f.Name, b, err); err != nil {
			return "", err
		}
	}
	b, err := csvBytes(v.rawSamples())
	return folder, save("samples", b, err)
}

// numbers are the points of the figure, unrounded.
func (f Figure) numbers() [][]string {
	rows := [][]string{{"series", f.X.String(), f.Y.String(), "low", "high"}}
	for _, s := range f.Series {
		for _, p := range s.Points {
			row := []string{s.Name}
			for _, v := range []float64{p.X, p.Y, p.Lo, p.Hi} {
				b, _ := json.Marshal(v)
				row = append(row, string(b))
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// writeFile makes the file at path whole, and its folder where there is none.
func writeFile(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return files.Write(path, b)
}
