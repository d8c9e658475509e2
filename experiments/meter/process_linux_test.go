package meter

import (
	"syscall"
	"testing"
)

func TestPeakReset(t *testing.T) {
	if err := resetPeak(); err != nil {
		t.Skipf("the peak cannot be reset here: %v", err)
	}
	base, err := RSS()
	if err != nil {
		t.Fatal(err)
	}
	const size = 64 << 20
	// Memory mapped directly, because the Go heap may hold resident pages
	// already.
	held, err := syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < size; i += 4096 {
		held[i] = 1
	}
	now, err := system.status("VmRSS")
	if err != nil || now < size {
		t.Errorf("current %d with %d held, %v", now, size, err)
	}
	if err := syscall.Munmap(held); err != nil {
		t.Fatal(err)
	}
	if peak, err := RSS(); err != nil || peak < base+size*3/4 {
		t.Errorf("peak went from %d to %d with %d more, %v", base, peak, size, err)
	}
	if err := resetPeak(); err != nil {
		t.Fatal(err)
	}
	if peak, err := RSS(); err != nil || peak > now-size/2 {
		t.Errorf("peak %d after the reset, %d before, %v", peak, now, err)
	}
}
