// Package kerneltest holds the table of operations that drives the tests of
// the kernels, the correctness gate of `workbench bench` and its figures. It
// needs no testing package.
package kerneltest
