package reports

import (
	"fmt"
	"strings"
)

// A Notebook is a report before it takes a format: text, figures and tables in
// the order of reading.
type Notebook struct {
	Title, Question, Method, Predicts string
	Facts                             [][2]string
	Glance                            []GlanceLine
	Judgements                        []Judgement
	Sections                          []Section
	Command                           string
}

// A GlanceLine is one line of the summary box; Kind is a verdict or "note".
type GlanceLine struct{ Kind, Text string }

// A Section is a part of the run or an appendix.
type Section struct {
	ID, Title, Note string
	Blocks          []Block
}

// A Block is a piece of a section under one heading: at most one figure and one
// table, with the sentences that say what they show.
type Block struct {
	Heading string
	Figure  *Figure
	Missing string // why there is no figure
	Says    []string
	Table   *Table
	Code    string
}

// notebook lays the view out.
func (v *view) notebook() *Notebook {
	n := &Notebook{Title: v.run.Title, Question: v.run.Question, Method: v.run.Method,
		Predicts: v.run.Predicts, Command: v.run.Command, Facts: v.facts()}
	if n.Title == "" {
		n.Title = v.run.Study
	}
	if n.Title == "" {
		n.Title = "Untitled run"
	}
	n.Judgements = v.judge(v.run.Claims)
	n.Glance = v.glance(n.Judgements)
	for _, part := range v.parts {
		n.Sections = append(n.Sections, v.partSection(part))
	}
	n.Sections = append(n.Sections, v.appendix()...)
	n.finish()
	return n
}

// finish completes the figures, and names files apart that names from records
// made alike.
func (n *Notebook) finish() {
	figures, tables := map[string]bool{}, map[string]bool{"samples": true}
	for i := range n.Sections {
		for j := range n.Sections[i].Blocks {
			b := &n.Sections[i].Blocks[j]
			if b.Table != nil {
				b.Table.Name = unused(b.Table.Name, tables)
			}
			if b.Figure == nil {
				continue
			}
			done := b.Figure.finish()
			if b.Figure = &done; done.empty() != "" {
				b.Figure, b.Missing = nil, done.empty()
				continue
			}
			done.Name = unused(done.Name, figures)
		}
	}
}

func (v *view) facts() [][2]string {
	r := &v.run
	end, took := "not finished", "n/a: the run was not finished"
	if r.Finished != nil {
		end, took = stamp(*r.Finished), duration(r.Finished.Sub(r.Started))
	}
	commit := r.Sources["commit"]
	if commit == "" {
		commit = "n/a"
	}
	if d := r.Sources["dirty"]; d != "" && d != "false" {
		commit += " (with uncommitted changes)"
	}
	ok := 0
	for _, rec := range v.all {
		if rec.Error == "" {
			ok++
		}
	}
	return [][2]string{
		{"Study", r.Study}, {"Profile", r.Profile}, {"Seed", fmt.Sprint(r.Seed)}, {"Commit", commit},
		{"Started", stamp(r.Started)}, {"Finished", end}, {"Duration", took},
		{"Machine", machineLine(r.Host.CPU, r.Host.Cores)},
		{"Samples", fmt.Sprintf("%d in %s", ok, count(len(r.Cells), "cell planned"))},
	}
}

func machineLine(cpu string, cores int) string {
	if cpu == "" {
		return "n/a"
	}
	return fmt.Sprintf("%s, %s", cpu, count(cores, "core"))
}

// glance says what the run is not fit for and sums the verdicts up.
func (v *view) glance(js []Judgement) []GlanceLine {
	var out []GlanceLine
	if v.run.Profile == smoke {
		out = append(out, GlanceLine{"note", "A smoke run: its verdicts test the plumbing alone and say nothing of the models."})
	}
	if s := v.unfit(); s != "" {
		out = append(out, GlanceLine{"note", s})
	}
	for _, kind := range []string{Holds, Fails, NotDecided, NotMeasured} {
		for _, j := range js {
			if j.Verdict != kind {
				continue
			}
			line := j.Says
			if n := j.numbers(); n != "" && (kind == Holds || kind == Fails) {
				line = strings.TrimRight(line, ". ") + ". Measured: " + n + "."
			}
			if j.Why != "" && kind != Holds && kind != Fails {
				line = strings.TrimRight(line, ". ") + ". " + upper(strings.TrimRight(j.Why, ". ")) + "."
			}
			out = append(out, GlanceLine{kind, line})
		}
	}
	if len(js) == 0 {
		out = append(out, GlanceLine{"note", "This study makes no claims: it describes."})
	}
	if n := len(v.holes()); n > 0 {
		out = append(out, GlanceLine{"note", fmt.Sprintf("%s: planned cells without a sample or with a failure are listed under “What is missing”.", count(n, "hole"))})
	}
	if v.run.Finished == nil {
		out = append(out, GlanceLine{"note", "The run was not finished when this report was made."})
	}
	return out
}

// smoke is the profile of runs that test whether everything works.
const smoke = "smoke"

// claimsTable is one row a rule, the claim in the first.
func claimsTable(js []Judgement) *Table {
	t := &Table{Name: "claims", Title: "Claims", Text: 5, Tail: 2, Verdict: 1,
		Columns: []string{"Claim", "Verdict", "p, corrected", "Rule, fixed before the run", "Measured [95 % interval]", "p", "Control", "Rule's verdict"},
		Note: "Every rule has a number for each block, in which every process was started afresh, or for each seed: ratios on the logarithmic scale, slopes fitted within the block. " +
			"p is the one-sided one of the side of the threshold that is nearer to being shown, by flips of the signs of the numbers less the threshold; between two thresholds the larger of two. " +
			"A claim holds when all of its rules do, so its p is the largest of theirs, and fails when one of them does; both are corrected by Holm's method for all claims of the study, and decide at 0.05. " +
			"What is counted decides by its value and has no p. A control must fail the rule, and show at least twice the margin of its threshold; otherwise the rule decides nothing. Slopes leave out the position 0."}
	for _, j := range js {
		if len(j.Rules) > 0 && j.Claim.Why != "" {
			j.Says = strings.TrimRight(j.Says, ". ") + ". " + j.Claim.Why
		}
		if len(j.Rules) == 0 {
			t.add(j.Says, j.short(), "n/a", "none", "n/a", "n/a", "n/a", "n/a")
		}
		for i, r := range j.Rules {
			says, verdict, p, own := "", "", "", r.Verdict
			if i == 0 {
				says, verdict, p = j.Says, j.short(), j.P
			}
			if r.Why != "" {
				own += ": " + r.Why
			}
			t.add(says, verdict, p, r.Asks, r.Numbers, r.P, r.Control, own)
		}
	}
	return t
}

func (n *Notebook) figures() []*Figure {
	var out []*Figure
	for _, s := range n.Sections {
		for _, b := range s.Blocks {
			if b.Figure != nil {
				out = append(out, b.Figure)
			}
		}
	}
	return out
}

func (n *Notebook) tables() []*Table {
	out := []*Table{}
	if len(n.Judgements) > 0 {
		out = append(out, claimsTable(n.Judgements))
	}
	for _, s := range n.Sections {
		for _, b := range s.Blocks {
			if b.Table != nil {
				out = append(out, b.Table)
			}
		}
	}
	return out
}
