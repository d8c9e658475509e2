package nn

import "sync/atomic"

// outlining tells that New makes large tensors without their numbers.
var outlining atomic.Bool

// outlined is the number of elements from which on they have none.
const outlined = 1 << 16

// Outline runs f, in which New makes tensors of more than 65536 elements as
// shapes alone: what a model will take can be counted in no memory and no time.
// Their Data is nil and their Len that of the shape; a cache's Reserve makes it
// as long as it would become. Nothing may be computed with them, and no other
// goroutine may make tensors meanwhile.
func Outline(f func()) {
	outlining.Store(true)
	defer outlining.Store(false)
	f()
}

// Elements is the number of elements of a shape: a float64, because the product
// of sizes that somebody asked for may exceed an int.
func Elements(shape []int) float64 {
	n := 1.0
	for _, d := range shape {
		n *= float64(d)
	}
	return n
}
