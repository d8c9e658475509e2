package kernels

import (
	"syscall"
	"unsafe"
)

const hugePage = 2 << 20

// HugePages asks for pages of 2 MiB where x lies, before it is first written:
// in decode they are worth some points of the read bandwidth. It is advice,
// without effect on small slices and where the system has no such pages.
func HugePages[E float32 | uint16 | byte](x []E) {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(*new(E))))
	if len(b) < 2*hugePage {
		return
	}
	skip := int(-uintptr(unsafe.Pointer(&b[0])) % hugePage)
	_ = syscall.Madvise(b[skip:skip+(len(b)-skip)&^(hugePage-1)], syscall.MADV_HUGEPAGE)
}
