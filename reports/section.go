package reports

import (
	"cmp"
	"slices"
)

// A section is a kind of finding of a part: blocks made of its records, none
// where they hold nothing for it.
type section struct {
	name  string
	order int // in the report
	build func(v *view, g *group) []Block
}

var sections []section

// registerSection adds a section to every part of every report.
func registerSection(name string, order int, build func(v *view, g *group) []Block) {
	if slices.ContainsFunc(sections, func(s section) bool { return s.name == name }) {
		panic("reports: section " + name + " is registered twice")
	}
	sections = append(sections, section{name, order, build})
	slices.SortStableFunc(sections, func(a, b section) int { return cmp.Compare(a.order, b.order) })
}

// partSection shows what the part has records of.
func (v *view) partSection(g *group) Section {
	s := Section{ID: "part-" + g.slug, Title: g.Title, Note: g.Note}
	if len(g.records) == 0 {
		s.Blocks = append(s.Blocks, Block{Missing: "No sample of this part was recorded; see “What is missing”."})
		return s
	}
	for _, kind := range sections {
		s.Blocks = append(s.Blocks, kind.build(v, g)...)
	}
	return s
}
