// Package kerneltest holds the table of operations that drives the tests of the
// kernels, and the correctness checks and figures of `workbench bench`. It does
// not import testing.
package kerneltest
