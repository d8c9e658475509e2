package record

import (
	"slices"
	"strings"
)

// A Quantity describes a value without its number.
type Quantity struct {
	Name   string `json:"name"`           // "duration_per_token"
	Title  string `json:"title"`          // in words: "time per token"
	Unit   string `json:"unit"`           // "s/token", "" for a pure number
	Kind   Kind   `json:"kind"`           //
	Better string `json:"better"`         // lower | higher | ""
	Main   bool   `json:"main,omitempty"` // every report compares the arms by it
}

var quantities []Quantity

// Define registers a quantity, so that lists show it and studies can ask for
// it. A name that ends in a colon stands for all names with that prefix.
func Define(q Quantity) Quantity {
	if Known(q.Name) {
		panic("record: quantity " + q.Name + " is defined twice")
	}
	quantities = append(quantities, q)
	return q
}

// Quantities returns the registered quantities, sorted by name.
func Quantities() []Quantity {
	return slices.SortedFunc(slices.Values(quantities), func(a, b Quantity) int { return strings.Compare(a.Name, b.Name) })
}

// Known reports whether a quantity of that name is registered.
func Known(name string) bool {
	return slices.ContainsFunc(quantities, func(q Quantity) bool { return q.Is(name) })
}

// Is reports whether the quantity has that name or, where its own name ends in
// a colon, stands for it.
func (q Quantity) Is(name string) bool {
	return q.Name == name || strings.HasSuffix(q.Name, ":") && strings.HasPrefix(name, q.Name)
}

// Of returns a value of the quantity; a number that is not finite becomes n/a.
func (q Quantity) Of(x float64) Value { return Value{Quantity: q, Value: number(x)} }

// Missing returns a value that could not be measured, with the reason.
func (q Quantity) Missing(reason string) Value { return Value{Quantity: q, Reason: reason} }
