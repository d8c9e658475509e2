//go:build !amd64 || purego

package kernels

const hasAVX2 = false
