package meter

import (
	"runtime/debug"

	"workbench/experiments/record"
)

func init() { Register("memory", 10, func() Meter { return footprint{} }, PeakRSS, heapBytes) }

var (
	// PeakRSS is the process's high-water mark of resident memory.
	PeakRSS   = record.Define(record.Quantity{Name: "peak_rss_bytes", Title: "peak resident memory", Unit: "B", Kind: record.Exact, Better: record.Lower, Main: true})
	heapBytes = record.Define(record.Quantity{Name: "heap_bytes", Title: "Go heap", Unit: "B", Kind: record.Timed, Better: record.Lower})
)

// footprint reads the high-water mark of resident memory while a point's work
// is done for the first time, and the heap after every sample.
type footprint struct{}

// Once implements Once.
func (footprint) Once(work func() error) (Reading, error) {
	var out Reading
	debug.FreeOSMemory()
	if err := resetPeak(); err != nil {
		out.Warnings = append(out.Warnings, "peak memory is that of the process so far: "+err.Error())
	}
	if err := work(); err != nil {
		return out, err
	}
	if peak, err := RSS(); err != nil {
		out.Values = append(out.Values, PeakRSS.Missing(err.Error()))
	} else {
		out.Values = append(out.Values, PeakRSS.Of(float64(peak)))
	}
	return out, nil
}

// Begin implements Around.
func (footprint) Begin() {}

// End implements Around.
func (footprint) End(Work) Reading {
	return Reading{Values: []record.Value{heapBytes.Of(float64(heap()))}}
}
