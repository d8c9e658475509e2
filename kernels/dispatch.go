// Package kernels is arithmetic on slices of float32: no models, no tensors,
// and no allocation once warm. Every kernel has a generic form in Go, which is
// always compiled and is its documentation, and may have one in assembly for
// AVX2 and FMA, chosen when the program starts. Matrices are row-major.
// Gradients add to what they are given. Results do not depend on the number
// of threads.
package kernels

//go:generate go run -C _asm ./matmul -out ../matmul_amd64.s -stubs ../matmul_amd64.go -pkg kernels

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// useAVX2 is read by every kernel that has an AVX2 form.
var useAVX2 = hasAVX2

func init() {
	if impl := os.Getenv("WORKBENCH_IMPL"); impl != "" {
		if err := Use(impl); err != nil {
			fmt.Fprintln(os.Stderr, "WORKBENCH_IMPL:", err)
			os.Exit(2)
		}
	}
}

// Impls lists the implementations this machine can run, the fastest first.
func Impls() []string {
	if hasAVX2 {
		return []string{"avx2", "generic"}
	}
	return []string{"generic"}
}

// Impl is the implementation in use.
func Impl() string {
	if useAVX2 {
		return "avx2"
	}
	return "generic"
}

// Use chooses the implementation. It must not be called while kernels run.
// The environment variable WORKBENCH_IMPL chooses it from outside.
func Use(impl string) error {
	if !slices.Contains(Impls(), impl) {
		return fmt.Errorf("kernel implementation %q is not one of %s", impl, strings.Join(Impls(), ", "))
	}
	useAVX2 = impl == "avx2"
	return nil
}
