package kernels

import (
	"sync"
	"unsafe"
)

// slabs allocates memory for weights. Small matrices share a slab, since only
// memory larger than a huge page can lie in one. A slab lives as long as any
// matrix in it.
var slabs struct {
	sync.Mutex
	free []byte
}

const slabSize = 16 << 20

// buffer returns n zeros in huge pages, aligned to a cache line.
func buffer[E float32 | uint16 | byte](n int) []E {
	var e E
	size := (n*int(unsafe.Sizeof(e)) + 63) &^ 63
	if size == 0 {
		return nil
	}
	if size > slabSize/4 {
		return large[E](n)
	}
	slabs.Lock()
	defer slabs.Unlock()
	if len(slabs.free) < size {
		slabs.free = large[byte](slabSize)
	}
	b := slabs.free[:size]
	slabs.free = slabs.free[size:]
	return unsafe.Slice((*E)(unsafe.Pointer(&b[0])), n)
}

// large returns n > 0 zeros in an allocation of their own.
func large[E float32 | uint16 | byte](n int) []E {
	b := make([]E, n)
	HugePages(b)
	return b
}
