//go:build !amd64 || purego

package kernels

func (p product) avx2(bool) { panic("kernels: no AVX2 here") }

func (p product) dots(lo, hi, chunks int) { panic("kernels: no AVX2 here") }
