package nn

import "sync/atomic"

// outlining is set while New makes large tensors without elements.
var outlining atomic.Bool

// made counts the elements of tensors that New makes while outlining.
var made atomic.Uint64

// outlined is the number of elements from which on a tensor has none while
// outlining.
const outlined = 1 << 16

// Outline runs f, in which New makes tensors of more than 65536 elements as
// shapes alone, to count what a model will take without its memory. Their Data
// is nil and their Len that of the shape; the Reserve of a cache sets the shape
// that it would have. Nothing may be computed with such tensors, and no other
// goroutine may make tensors meanwhile. Outline returns the elements of all
// tensors that f made.
func Outline(f func()) (elements float64) {
	made.Store(0)
	outlining.Store(true)
	defer outlining.Store(false)
	f()
	return float64(made.Load())
}

// Elements is the number of elements of a shape, as a float64 because the
// product of requested sizes may exceed an int.
func Elements(shape []int) float64 {
	n := 1.0
	for _, d := range shape {
		n *= float64(d)
	}
	return n
}
