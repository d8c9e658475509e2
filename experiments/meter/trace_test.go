package meter

import (
	"bytes"
	"runtime"
	"runtime/trace"
	"strings"
	"sync"
	"testing"
	"time"
)

var kept [][]byte

func TestSharesOfGarbage(t *testing.T) {
	runtime.GC() // that of what other tests left
	quiet, _, err := runtimeShares(func() { spin(50 * time.Millisecond) })
	if err != nil {
		t.Fatal(err)
	}
	if quiet > 0.05 {
		t.Errorf("spinning spends %.3f in the collector", quiet)
	}
	littered, sched, err := runtimeShares(func() {
		for end := time.Now().Add(100 * time.Millisecond); time.Now().Before(end); {
			kept = nil
			for range 2000 {
				kept = append(kept, make([]byte, 512))
			}
			runtime.GC()
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if !(littered > quiet+0.1 && littered <= 1 && sched >= 0 && sched <= 1) {
		t.Errorf("collecting all the time spends %.3f, spinning %.3f", littered, quiet)
	}
}

func TestSharesOfWaiting(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	_, alone, err := runtimeShares(func() { spin(30 * time.Millisecond) })
	if err != nil {
		t.Fatal(err)
	}
	_, crowded, err := runtimeShares(func() {
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() { spin(100 * time.Millisecond) })
		}
		wg.Wait()
	})
	if err != nil {
		t.Fatal(err)
	}
	// Four goroutines on one processor: each runs a quarter of the time. On a
	// loaded machine a single goroutine waits for the tracer as well.
	if alone > crowded-0.1 || crowded < 0.5 || crowded > 0.95 {
		t.Errorf("waiting share %.3f alone, %.3f of four on one processor", alone, crowded)
	}
}

func TestSharesAlwaysRun(t *testing.T) {
	if err := trace.Start(&bytes.Buffer{}); err != nil {
		t.Skip(err)
	}
	ran := 0
	_, _, err := runtimeShares(func() { ran++ })
	trace.Stop()
	if ran != 1 || err == nil {
		t.Errorf("ran %d times, %v", ran, err)
	}
	if _, _, err := runtimeShares(func() { ran++ }); ran != 2 || err != nil {
		t.Errorf("ran %d times, %v", ran, err)
	}
}

func TestDamagedTrace(t *testing.T) {
	record := func(region string) []byte {
		var buf bytes.Buffer
		if err := trace.Start(&buf); err != nil {
			t.Skip(err)
		}
		trace.WithRegion(t.Context(), region, func() { spin(5 * time.Millisecond); runtime.GC() })
		trace.Stop()
		return buf.Bytes()
	}
	if _, _, err := parseShares(bytes.NewReader(record("another"))); err == nil || !strings.Contains(err.Error(), "whole function") {
		t.Errorf("a trace without the region: %v", err)
	}
	whole := record(fnRegion)
	if gc, sched, err := parseShares(bytes.NewReader(whole)); err != nil || gc <= 0 || sched < 0 {
		t.Errorf("%v, %v, %v", gc, sched, err)
	}
	for _, b := range [][]byte{nil, []byte("go 1.26 trace"), whole[:len(whole)/2], bytes.Repeat([]byte{0xff}, 4096)} {
		if _, _, err := parseShares(bytes.NewReader(b)); err == nil {
			t.Errorf("%d damaged bytes accepted", len(b))
		}
	}
	for i := range 8 {
		cut := whole[:len(whole)*i/8]
		if gc, sched, err := parseShares(bytes.NewReader(cut)); err == nil && !(gc >= 0 && gc <= 1 && sched >= 0 && sched <= 1) {
			t.Errorf("cut at %d: shares %v and %v", len(cut), gc, sched)
		}
	}
}
