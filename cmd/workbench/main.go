// Command workbench measures sequence models: RWKV beside a transformer with a
// key-value cache and a recurrent network, through one harness, and writes the
// report. `workbench --help` lists the commands.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
)

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "workbench:", oneLine(err))
		os.Exit(status(err))
	}
}

// run is the whole program: a command's name, its flags and arguments.
func run(args []string, stdout, stderr io.Writer) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fault(r, stderr)
		}
	}()
	out := &checked{w: stdout}
	if err := dispatch(args, out, stderr); err != nil {
		return err
	}
	return out.err
}

func dispatch(args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		overview(stderr)
		return usageError{errors.New("no command is given")}
	}
	if slices.Contains([]string{"help", "--help", "-help", "-h"}, args[0]) {
		overview(stdout)
		return nil
	}
	if args[0] == "--version" {
		_, err := fmt.Fprintln(stdout, version())
		return err
	}
	for _, c := range commands {
		if c.name == args[0] {
			return c.run(args[1:], output{stdout, stderr})
		}
	}
	return usageError{fmt.Errorf("unknown command %q (known: %s)", args[0], strings.Join(known(), ", "))}
}

// version names the build: the commit that it was made from, where that is
// known, the toolchain and the system.
func version() string {
	commit := "unknown commit"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				commit = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				commit += " with uncommitted changes"
			}
		}
	}
	return fmt.Sprintf("workbench %s, %s, %s/%s", commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// usageError is a mistake in the command line: exit status 2.
type usageError struct{ error }

// Unwrap implements errors.Unwrap.
func (e usageError) Unwrap() error { return e.error }

// unusual is err as a mistake that is none of the command line's.
func unusual(err error) error {
	var u usageError
	if errors.As(err, &u) {
		return u.error
	}
	return err
}

// status is the exit status of a failed run.
func status(err error) int {
	if errors.As(err, new(usageError)) {
		return 2
	}
	return 1
}

// oneLine is the message of err without line breaks.
func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
