package kernels

import (
	"sync"
	"unsafe"
)

// slabs hands out memory for weights. Small matrices share a slab, since only
// what is larger than a huge page can lie in one; a slab lives as long as any
// of them.
var slabs struct {
	sync.Mutex
	free []byte
}

const slabSize = 16 << 20

// buffer makes a slice of n zeros in huge pages, beginning at a cache line.
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

// large makes a slice of n > 0 zeros of its own.
func large[E float32 | uint16 | byte](n int) []E {
	b := make([]E, n)
	HugePages(b)
	return b
}
