package record

import (
	"slices"
	"strings"
)

// A Quantity is what a value is of, apart from its number.
type Quantity struct {
	Name   string `json:"name"`           // "duration_per_token"
	Title  string `json:"title"`          // in words: "time per token"
	Unit   string `json:"unit"`           // "s/token", "" for a pure number
	Kind   Kind   `json:"kind"`           //
	Better string `json:"better"`         // lower | higher | ""
	Main   bool   `json:"main,omitempty"` // every report compares the arms by it
}

var quantities []Quantity

// Define makes a quantity known, so that lists name it and studies may ask for
// it. A name that ends in a colon stands for all names that begin with it.
func Define(q Quantity) Quantity {
	if Known(q.Name) {
		panic("record: quantity " + q.Name + " is defined twice")
	}
	quantities = append(quantities, q)
	return q
}

// Quantities are those defined, by name.
func Quantities() []Quantity {
	return slices.SortedFunc(slices.Values(quantities), func(a, b Quantity) int { return strings.Compare(a.Name, b.Name) })
}

// Known tells whether a quantity of that name is defined.
func Known(name string) bool {
	return slices.ContainsFunc(quantities, func(q Quantity) bool { return q.Is(name) })
}

// Is tells whether the quantity, or where its name ends in a colon one of those
// that it stands for, has that name.
func (q Quantity) Is(name string) bool {
	return q.Name == name || strings.HasSuffix(q.Name, ":") && strings.HasPrefix(name, q.Name)
}

// Of is a value of the quantity; a number that is not finite is none.
func (q Quantity) Of(x float64) Value { return Value{Quantity: q, Value: number(x)} }

// Missing is a value that could not be had.
func (q Quantity) Missing(reason string) Value { return Value{Quantity: q, Reason: reason} }
