//go:build !linux

package kernels

// HugePages does nothing: this system has no call for large pages.
func HugePages[E float32 | uint16 | byte]([]E) {}
