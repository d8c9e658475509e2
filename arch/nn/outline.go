package nn

import "sync/atomic"

// outlining tells that New makes large tensors without their numbers.
var outlining atomic.Bool

// made counts the elements of tensors that New makes while outlining.
var made atomic.Uint64

// outlined is the number of elements from which on they have none.
const outlined = 1 << 16

// Outline runs f, in which New makes tensors of more than 65536 elements as
// shapes alone: what a model will take can be counted in no memory and no time.
// Their Data is nil and their Len that of the shape; a cache's Reserve makes it
// as long as it would become. Nothing may be computed with them, and no other
// goroutine may make tensors meanwhile. It returns the elements of all tensors
// that f made.
func Outline(f func()) (elements float64) {
	made.Store(0)
	outlining.Store(true)
	defer outlining.Store(false)
	f()
	return float64(made.Load())
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
