package main

import (
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// checked is a writer that remembers the first error: a command whose output
// was not written has failed, whether or not it looked.
type checked struct {
	w   io.Writer
	err error
}

// Write implements io.Writer.
func (c *checked) Write(b []byte) (int, error) {
	if c.err != nil {
		return 0, c.err
	}
	n, err := c.w.Write(b)
	if err != nil {
		c.err = fmt.Errorf("the output cannot be written: %w", err)
	}
	return n, c.err
}

// traceKey is the environment variable that asks for the stack of a fault.
const traceKey = "WORKBENCH_TRACE"

// fault is the error of a command that panicked: a mistake of the program.
func fault(r any, stderr io.Writer) error {
	if os.Getenv(traceKey) != "" {
		fmt.Fprintf(stderr, "%v\n%s", r, debug.Stack())
	}
	return fmt.Errorf("internal error: %v (please report it, with what %s=1 adds)", r, traceKey)
}
