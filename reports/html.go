package reports

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"path/filepath"
	"strings"
)

//go:embed notebook.html
var notebookHTML string

var page = template.Must(template.New("notebook").Parse(notebookHTML))

// pageData is what the page template reads.
type pageData struct {
	*Notebook
	Policy   string
	Claims   *Table
	Sections []pageSection
	ECharts  template.JS
	Scripts  []template.JS
	Live     bool
}

type pageSection struct {
	Section
	Blocks []pageBlock
}

type pageBlock struct {
	Block
	ID      string
	SVG     template.HTML
	Element template.HTML
}

// saveHTML writes report.html: one file without a reference to another.
func (n *Notebook) saveHTML(dir string) (string, error) {
	b, err := n.html(echarts())
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "report.html")
	return path, writeFile(path, b)
}

// html is the page; script is ECharts, "" for static figures only.
func (n *Notebook) html(script string) ([]byte, error) {
	s := pageData{Notebook: n, Live: script != "", ECharts: template.JS(script)}
	if len(n.Judgements) > 0 {
		s.Claims = claimsTable(n.Judgements)
	}
	figures := 0
	for _, sec := range n.Sections {
		out := pageSection{Section: sec}
		for _, b := range sec.Blocks {
			sb := pageBlock{Block: b}
			if b.Figure != nil {
				figures++
				sb.ID = fmt.Sprintf("fig%d", figures)
				if err := sb.draw(&s); err != nil {
					return nil, fmt.Errorf("figure %s: %w", b.Figure.Name, err)
				}
			}
			out.Blocks = append(out.Blocks, sb)
		}
		s.Sections = append(s.Sections, out)
	}
	if s.Live {
		s.Scripts = append(s.Scripts, resizeJS)
	}
	s.Policy = s.policy()
	var buf bytes.Buffer
	err := page.Execute(&buf, s)
	return buf.Bytes(), err
}

// draw fills in the static picture and, where ECharts is at hand, the
// interactive one. The picture gives way only once the chart exists.
func (b *pageBlock) draw(s *pageData) error {
	svg, err := b.Figure.inlineSVG()
	if err != nil {
		return err
	}
	b.SVG = template.HTML(svg)
	if !s.Live {
		return nil
	}
	element, script, err := b.Figure.live(b.ID)
	if err != nil {
		return err
	}
	b.Element = template.HTML(element)
	box := fmt.Sprintf("document.getElementById('box-%s').classList", b.ID)
	s.Scripts = append(s.Scripts, template.JS(box+".add('live');"), template.JS(script),
		template.JS(fmt.Sprintf("if (!window.echarts || !echarts.getInstanceByDom(document.getElementById('%s'))) { %s.remove('live'); }", b.ID, box)))
	return nil
}

const resizeJS template.JS = `window.addEventListener('resize', function () {
	document.querySelectorAll('.live .item').forEach(function (e) { var c = echarts.getInstanceByDom(e); if (c) { c.resize(); } });
});`

// policy lets the browser run the page's own scripts and nothing else, and
// load nothing at all.
func (s *pageData) policy() string {
	src := []string{"script-src"}
	all := s.Scripts
	if s.Live {
		all = append([]template.JS{s.ECharts}, all...)
	}
	for _, js := range all {
		sum := sha256.Sum256([]byte(js))
		src = append(src, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	if len(src) == 1 {
		src = append(src, "'none'")
	}
	return "default-src 'none'; img-src data:; style-src 'unsafe-inline'; " + strings.Join(src, " ")
}
