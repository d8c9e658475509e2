package reports

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
)

// saveMarkdown writes the notebook as report.md; picture names the format of
// the figures beside it, "" for none.
func (n *Notebook) saveMarkdown(dir, picture string) (string, error) {
	b, err := n.markdown(picture)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "report.md")
	return path, writeFile(path, b)
}

func (n *Notebook) markdown(picture string) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s\n\n", md(n.Title))
	for _, p := range [][2]string{{"Question: ", n.Question}, {"Method: ", n.Method}, {"Prediction: ", n.Predicts}} {
		if p[1] != "" {
			fmt.Fprintf(&b, "%s%s\n\n", p[0], md(p[1]))
		}
	}
	for _, f := range n.Facts {
		fmt.Fprintf(&b, "- %s: %s\n", f[0], md(orNA(f[1], f[1] != "")))
	}
	b.WriteString("\n## At a glance\n\n")
	for _, g := range n.Glance {
		kind := ""
		if g.Kind != "note" {
			kind = "**" + g.Kind + "**: "
		}
		fmt.Fprintf(&b, "- %s%s\n", kind, md(g.Text))
	}
	if len(n.Judgements) > 0 {
		b.WriteString("\n## Claims\n\n")
		if err := markdownTable(&b, claimsTable(n.Judgements)); err != nil {
			return nil, err
		}
	}
	for _, s := range n.Sections {
		if err := s.markdown(&b, picture); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

func (s Section) markdown(b *bytes.Buffer, picture string) error {
	fmt.Fprintf(b, "\n## %s\n", md(s.Title))
	if s.Note != "" {
		fmt.Fprintf(b, "\n%s\n", md(s.Note))
	}
	for _, k := range s.Blocks {
		if k.Heading != "" {
			fmt.Fprintf(b, "\n### %s\n", md(k.Heading))
		}
		if k.Missing != "" {
			fmt.Fprintf(b, "\n%s\n", md(k.Missing))
		}
		if k.Figure != nil && picture != "" {
			fmt.Fprintf(b, "\n![%s](figures/%s.%s)\n\n%s\n", md(k.Figure.Title), k.Figure.Name, picture, md(k.Figure.Note))
		}
		for _, p := range k.Says {
			fmt.Fprintf(b, "\n%s\n", md(p))
		}
		if k.Table != nil {
			b.WriteString("\n")
			if err := markdownTable(b, k.Table); err != nil {
				return err
			}
		}
		if k.Code != "" {
			// Note: indented, since a fence could be closed by the text itself.
			fmt.Fprintf(b, "\n    %s\n", strings.ReplaceAll(strings.TrimRight(k.Code, "\n"), "\n", "\n    "))
		}
	}
	return nil
}

func markdownTable(b *bytes.Buffer, t *Table) error {
	if err := t.markdown(b); err != nil {
		return err
	}
	if t.Note != "" {
		fmt.Fprintf(b, "\n%s\n", md(t.Note))
	}
	return nil
}
