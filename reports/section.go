package reports

import (
	"cmp"
	"slices"
)

// A sectionKind makes blocks of a part from its records, none where they hold
// nothing for it.
type sectionKind struct {
	name  string
	order int // in the report
	build func(v *view, part *partView) []Block
}

var sectionKinds []sectionKind

// registerSection adds a section to every part of every report.
func registerSection(name string, order int, build func(v *view, part *partView) []Block) {
	if slices.ContainsFunc(sectionKinds, func(s sectionKind) bool { return s.name == name }) {
		panic("reports: section " + name + " is registered twice")
	}
	sectionKinds = append(sectionKinds, sectionKind{name, order, build})
	slices.SortStableFunc(sectionKinds, func(a, b sectionKind) int { return cmp.Compare(a.order, b.order) })
}

// partSection shows what the part has records of.
func (v *view) partSection(part *partView) Section {
	s := Section{ID: "part-" + part.slug, Title: part.Title, Note: part.Note}
	if len(part.records) == 0 {
		s.Blocks = append(s.Blocks, Block{Missing: "No sample of this part was recorded; see “What is missing”."})
		return s
	}
	for _, kind := range sectionKinds {
		s.Blocks = append(s.Blocks, kind.build(v, part)...)
	}
	return s
}
