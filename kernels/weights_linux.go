package kernels

import (
	"syscall"
	"unsafe"
)

const hugePage = 2 << 20

// HugePages asks the kernel for pages of 2 MiB for x, before x is first
// written: they raise the read bandwidth of a decode step by a few percent. The
// advice has no effect on small slices and on systems without such pages.
func HugePages[E float32 | uint16 | byte](x []E) {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(*new(E))))
	if len(b) < 2*hugePage {
		return
	}
	skip := int(-uintptr(unsafe.Pointer(&b[0])) % hugePage)
	_ = syscall.Madvise(b[skip:skip+(len(b)-skip)&^(hugePage-1)], syscall.MADV_HUGEPAGE)
}
