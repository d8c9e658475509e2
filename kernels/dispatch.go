// Package kernels is arithmetic on slices of float32: no models, no tensors,
// and no allocation once warm. Every kernel has a generic implementation in Go,
// which is always compiled and is its documentation, and may have others in
// assembly, chosen when the program starts.
//
// Matrices are row-major. A gradient function fooGrad adds to the gradients of
// foo's inputs, given the gradients of its outputs; where it overwrites, it
// says so. No gradient flows into the state before a call. Sums over rows are
// taken in blocks whose borders follow from the shapes alone and which are
// joined in order, so results do not depend on the number of threads.
package kernels

//go:generate go run -C _asm .

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// level is an implementation of this GOARCH, in rising order from generic on.
type level uint8

// implementation is the name of an implementation and whether this machine runs
// it.
type implementation struct {
	name string
	runs bool
}

// inUse is the chosen level. An operation that lacks it uses the nearest level
// below that it has.
var inUse = fastest()

func fastest() level {
	top := generic
	for l, i := range levels {
		if i.runs {
			top = level(l)
		}
	}
	return top
}

func init() {
	if impl := os.Getenv("WORKBENCH_IMPL"); impl != "" {
		if err := Use(impl); err != nil {
			fmt.Fprintln(os.Stderr, "WORKBENCH_IMPL:", err)
			os.Exit(2)
		}
	}
}

// Impls lists the implementations this machine can run, the fastest first.
func Impls() (names []string) {
	for _, i := range slices.Backward(levels[:]) {
		if i.runs {
			names = append(names, i.name)
		}
	}
	return names
}

// Impl is the implementation in use.
func Impl() string { return levels[inUse].name }

// Use chooses the implementation by name, one of Impls. It must not be called
// while kernels run. The environment variable WORKBENCH_IMPL sets the initial
// choice.
func Use(impl string) error {
	for l, i := range levels {
		if i.runs && i.name == impl {
			inUse = level(l)
			return nil
		}
	}
	return fmt.Errorf("kernel implementation %q is not one of %s", impl, strings.Join(Impls(), ", "))
}
