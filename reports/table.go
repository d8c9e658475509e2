package reports

import (
	"bytes"
	"encoding/csv"
	"io"
	"slices"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// A Table is formatted text in columns; units stand in the column heads.
type Table struct {
	Name    string // stem of its CSV file
	Title   string
	Columns []string
	Text    int // the first Text columns are words, the others numbers
	Tail    int // and so are the last Tail
	Verdict int // the column of verdicts, 0: none
	Rows    [][]string
	Note    string
}

// Words tells whether column i holds words rather than numbers.
func (t *Table) Words(i int) bool { return i < t.Text || i >= len(t.Columns)-t.Tail }

// Class is the style of a cell: words, and of a verdict which.
func (t *Table) Class(i int, cell string) string {
	class := ""
	if t.Words(i) {
		class = "t"
	}
	if t.Verdict == 0 || i != t.Verdict {
		return class
	}
	switch {
	case cell == Holds:
		return class + " holds"
	case cell == Fails:
		return class + " fails"
	}
	return class + " not"
}

func (t *Table) add(cells ...string) { t.Rows = append(t.Rows, cells) }

// csv writes the table for a spreadsheet.
func (t *Table) csv() ([]byte, error) {
	return csvBytes(append([][]string{t.Columns}, t.Rows...))
}

func csvBytes(rows [][]string) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, row := range rows {
		cells := slices.Clone(row)
		for i, c := range cells {
			cells[i] = csvCell(c)
		}
		if err := w.Write(cells); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// csvCell keeps a spreadsheet from running a cell as a formula. Numbers, which
// may begin with a sign, stay numbers.
func csvCell(s string) string {
	t := strings.TrimLeft(s, " \t\r\n")
	if t != "" && strings.ContainsRune("=+-@", rune(t[0])) && !isNumber(t) || strings.HasPrefix(s, "\t") || strings.HasPrefix(s, "\r") {
		return "'" + s
	}
	return s
}

func isNumber(s string) bool {
	return strings.Trim(s, "0123456789.eE+-") == "" && strings.ContainsAny(s, "0123456789") && s[0] != '=' && s[0] != '@'
}

var markdownEscapes = strings.NewReplacer("\\", "\\\\", "|", "\\|", "<", "&lt;", ">", "&gt;", "&", "&amp;", "`", "\\`",
	"*", "\\*", "_", "\\_", "[", "\\[", "]", "\\]", "#", "\\#", "$", "\\$", "~", "\\~", "!", "\\!", "\n", " ", "\t", " ")

// md is s as plain text of one line of Markdown.
func md(s string) string { return markdownEscapes.Replace(s) }

// markdown writes the table with every cell as plain text.
func (t *Table) markdown(w io.Writer) error {
	cells := func(row []string) []string {
		out := make([]string, len(row))
		for i, c := range row {
			out[i] = md(c)
		}
		return out
	}
	return t.render(w, renderer.NewMarkdown(), cells)
}

// terminal writes the table with box-drawing lines.
func (t *Table) terminal(w io.Writer) error {
	return t.render(w, renderer.NewBlueprint(), func(row []string) []string {
		out := make([]string, len(row))
		for i, c := range row {
			out[i] = shorten(c, 70)
		}
		return out
	})
}

func (t *Table) render(w io.Writer, r tw.Renderer, cells func([]string) []string) error {
	align := make([]tw.Align, len(t.Columns))
	for i := range align {
		align[i] = tw.AlignRight
		if t.Words(i) {
			align[i] = tw.AlignLeft
		}
	}
	tab := tablewriter.NewTable(w, tablewriter.WithRenderer(r), tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithRowAutoWrap(tw.WrapNone), tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithTrimSpace(tw.On), tablewriter.WithAlignment(align))
	tab.Header(cells(t.Columns))
	for _, row := range t.Rows {
		if err := tab.Append(cells(row)); err != nil {
			return err
		}
	}
	return tab.Render()
}
