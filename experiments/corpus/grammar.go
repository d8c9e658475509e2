package corpus

import (
	"fmt"
	"strings"
)

const (
	grammarSeed  = 1
	grammarBytes = 4 << 20
)

func init() {
	Register("grammar", "a seeded synthetic language, the same bytes everywhere", struct{}{},
		func(struct{}) (Source, error) { return grammarText(), nil }, BitsPerByte)
}

// grammarText is a synthetic language with what makes text worth a memory:
// words of uneven frequency, nested clauses, people declared at the start of a
// tale whose trade and town must be remembered, and a ledger that must add up.
func grammarText() *Text {
	w := newWriter(grammarSeed)
	for w.out.Len() < grammarBytes {
		w.tale()
	}
	return newText("grammar", fmt.Sprintf("synthetic grammar, seed %d", grammarSeed), []byte(w.out.String()[:grammarBytes]))
}

// grammar maps a symbol to its expansions, all equally likely; the first is
// the one that ends a recursion. Symbols without an entry are writer.terminal.
var grammar = map[string][]string{
	"sentence": {
		"{thing} {verb}s {thing}.",
		"{who} {verb}s {thing}.",
		"{who} {verb}s {thing}, and {thing} {verb}s {thing}.",
		"{who} the {trade} {verb}s {place}.",
		"{who} walks home to {town} and {verb}s {thing}.",
		"when {thing} {verb}s {thing}, {who} {verb}s {place}.",
		"\"{clause},\" says {who} the {trade}, \"{clause}.\"",
		"in {who}'s town of {town}, {clause}.",
		"{deal}",
		"{deal}",
	},
	"clause": {
		"{thing} {verb}s",
		"{thing} {verb}s {place}",
		"no {noun} {verb}s unless {clause}",
		"{who} (the {trade}) {verb}s {thing}",
	},
	"thing": {
		"the {noun}",
		"the {noun}",
		"a {adjective} {noun}",
		"the {adjective} {noun}",
		"the {noun} that {thing} {verb}s",
		"the {noun} ({clause})",
	},
	"place": {
		"by the {noun}",
		"under {thing}",
		"near the {adjective} {noun}",
	},
}

// deepest bounds the nesting of clauses.
const deepest = 5

// A person of a tale; goods change hands in deals.
type person struct {
	name, trade, town string
	goods             int
}

// writer makes text from a stream of random numbers.
type writer struct {
	seed, rolls uint64
	out         strings.Builder
	used        map[string]bool // words made so far

	nouns, verbs, adjectives, trades, towns []string

	cast  []person
	who   int    // the person named last
	goods string // what the tale's people deal in
}

func newWriter(seed uint64) *writer {
	w := &writer{seed: seed, used: map[string]bool{}}
	w.nouns, w.verbs, w.adjectives = w.words(600), w.words(200), w.words(200)
	w.trades, w.towns = w.words(60), w.words(60)
	return w
}

// roll is a random number in [0, n).
func (w *writer) roll(n int) int {
	w.rolls++
	return below(hash(w.seed, w.rolls), n)
}

// pick chooses a word; earlier ones are likelier.
func (w *writer) pick(words []string) string { return words[w.roll(w.roll(len(words))+1)] }

func (w *writer) words(n int) []string {
	words := make([]string, n)
	for i := range words {
		words[i] = w.word()
	}
	return words
}

// word makes a new word of one to three syllables.
func (w *writer) word() string {
	const onsets, vowels, codas = "b d f g k l m n p r s t v z br st tr", "a e i o u ai ou", "  l n r s th"
	for {
		s := ""
		for range 1 + w.roll(3) {
			for _, part := range []string{onsets, vowels, codas} {
				options := strings.Split(part, " ")
				s += options[w.roll(len(options))]
			}
		}
		if !w.used[s] {
			w.used[s] = true
			return s
		}
	}
}

// tale writes a title, the declarations of its people, paragraphs about them,
// and an ending that names them in the same order.
func (w *writer) tale() {
	w.goods = w.pick(w.nouns)
	w.cast = make([]person, 3+w.roll(5))
	for i := range w.cast {
		w.cast[i] = person{title(w.word()), w.pick(w.trades), title(w.pick(w.towns)), 5 + w.roll(30)}
	}
	fmt.Fprintf(&w.out, "# The tale of %s and the %s\n\n", w.cast[0].name, w.goods)
	for _, p := range w.cast {
		fmt.Fprintf(&w.out, "Let %s be a %s of %s, who has %d %ss.\n", p.name, p.trade, p.town, p.goods, w.goods)
	}
	for range 3 + w.roll(6) {
		w.out.WriteByte('\n')
		for i := range 3 + w.roll(6) {
			if i > 0 {
				w.out.WriteByte(' ')
			}
			w.out.WriteString(title(w.expand("sentence", 0)))
		}
		w.out.WriteByte('\n')
	}
	w.out.WriteString("\nSo ends the tale of")
	for i, p := range w.cast {
		fmt.Fprintf(&w.out, "%s %s the %s, with %d %ss", []string{"", ";"}[min(i, 1)], p.name, p.trade, p.goods, w.goods)
	}
	w.out.WriteString(".\n\n")
	for _, p := range w.cast {
		delete(w.used, strings.ToLower(p.name))
	}
}

// expand replaces a symbol by one of its expansions, from left to right.
func (w *writer) expand(symbol string, depth int) string {
	options, ok := grammar[symbol]
	if !ok {
		return w.terminal(symbol)
	}
	rest := options[0]
	if depth < deepest {
		rest = options[w.roll(len(options))]
	}
	var s strings.Builder
	for {
		text, after, ok := strings.Cut(rest, "{")
		s.WriteString(text)
		if !ok {
			return s.String()
		}
		inner, after, _ := strings.Cut(after, "}")
		s.WriteString(w.expand(inner, depth+1))
		rest = after
	}
}

func (w *writer) terminal(symbol string) string {
	switch symbol {
	case "noun":
		return w.pick(w.nouns)
	case "verb":
		return w.pick(w.verbs)
	case "adjective":
		return w.pick(w.adjectives)
	case "who":
		w.who = w.roll(len(w.cast))
		return w.cast[w.who].name
	case "trade":
		return w.cast[w.who].trade
	case "town":
		return w.cast[w.who].town
	case "deal":
		return w.deal()
	}
	panic("corpus: the grammar has no symbol " + symbol)
}

// deal moves goods from one person to another and tells the balance.
func (w *writer) deal() string {
	from := w.roll(len(w.cast))
	to := (from + 1 + w.roll(len(w.cast)-1)) % len(w.cast)
	a, b := &w.cast[from], &w.cast[to]
	n := w.roll(a.goods + 1)
	a.goods -= n
	b.goods += n
	return fmt.Sprintf("%s gives %d %ss to %s; now %s has %d and %s has %d.", a.name, n, w.goods, b.name, a.name, a.goods, b.name, b.goods)
}

// title makes the first letter a capital; the language is ASCII.
func title(s string) string {
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'A' && c <= 'Z':
			return s
		case c >= 'a' && c <= 'z':
			return s[:i] + string(c-'a'+'A') + s[i+1:]
		}
	}
	return s
}
