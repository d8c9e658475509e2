package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"workbench/experiments"
)

// A command is one row of the table.
type command struct {
	name    string
	args    string // of the usage line
	short   string // what it does, in one sentence
	example string
	hidden  bool // not listed: run by the program itself
	// setup declares the flags and returns what the command does.
	setup func(*flag.FlagSet) body
	// mode is the command's mode where the flags and arguments choose one; nil:
	// every flag is always used.
	mode  func(*flag.FlagSet, []string) (mode, bool)
	rules []rule
}

// body does a command's work with its positional arguments.
type body func(args []string, out output) error

// output is where a command writes: results to stdout, all else to stderr.
type output struct{ stdout, stderr io.Writer }

// newProgress tells on w how far a command is, on a line every two seconds
// where it is no terminal.
func newProgress(w io.Writer) *experiments.Progress {
	return experiments.NewProgress(w, 2*time.Second)
}

var commands = []command{runCommand, listCommand, showCommand, reportCommand, logitsCommand, verifyCommand, trainCommand, evalCommand, generateCommand, convertCommand, benchCommand, doctorCommand, cellCommand}

func known() []string {
	var names []string
	for _, c := range commands {
		if !c.hidden {
			names = append(names, c.name)
		}
	}
	return names
}

func overview(w io.Writer) {
	fmt.Fprint(w, "Usage: workbench COMMAND [flags] [arguments]\n\n")
	for _, c := range commands {
		if !c.hidden {
			fmt.Fprintf(w, "  %-8s %s\n", c.name, c.short)
		}
	}
	fmt.Fprint(w, "\n`workbench COMMAND --help` says more and gives an example; `workbench --version` names the build.\n")
}

// run parses the command line and does the work.
func (c command) run(args []string, out output) error {
	fs := flag.NewFlagSet(c.name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	work := c.setup(fs)
	args, err := parse(fs, args)
	if errors.Is(err, flag.ErrHelp) {
		c.help(out.stdout, fs)
		return nil
	}
	if err == nil {
		err = c.checkFlags(fs, args)
	}
	if err != nil {
		return usageError{fmt.Errorf("%s: %w (see workbench %s --help)", c.name, err, c.name)}
	}
	if err := work(args, out); err != nil {
		return fmt.Errorf("%s: %w", c.name, err)
	}
	return nil
}

func (c command) help(w io.Writer, fs *flag.FlagSet) {
	fmt.Fprintf(w, "Usage: workbench %s\n\n%s\n", strings.TrimSpace(c.name+" [flags] "+c.args), c.short)
	first := true
	fs.VisitAll(func(f *flag.Flag) {
		if first {
			fmt.Fprint(w, "\nFlags:\n")
			first = false
		}
		value, usage := flag.UnquoteUsage(f)
		fmt.Fprintf(w, "  %-28s %s", strings.TrimSpace("--"+f.Name+" "+value), usage)
		if f.DefValue != "" && f.DefValue != "0" && f.DefValue != "false" {
			fmt.Fprintf(w, " (default %s)", strings.ReplaceAll(f.DefValue, "\n", `\n`))
		}
		fmt.Fprintln(w)
	})
	fmt.Fprintf(w, "\nExample:\n  %s\n", strings.ReplaceAll(c.example, "\n", "\n  "))
}

// parse reads flags before, between and after the positional arguments, which
// it returns; everything after "--" is positional.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	var positional []string
	for {
		if err := fs.Parse(args); err != nil {
			if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: "); ok {
				err = fmt.Errorf("unknown flag -%s", name)
			}
			return nil, err
		}
		rest := fs.Args()
		if n := len(args) - len(rest); len(rest) == 0 || n > 0 && args[n-1] == "--" {
			return append(positional, rest...), nil
		}
		positional, args = append(positional, rest[0]), rest[1:]
	}
}

// list is a flag that may be given several times.
type list []string

// String implements flag.Value.
func (l *list) String() string { return strings.Join(*l, " ") }

// Set implements flag.Value.
func (l *list) Set(s string) error {
	*l = append(*l, s)
	return nil
}

// noArgs refuses positional arguments.
func noArgs(args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("unexpected argument %q", args[0])}
	}
	return nil
}
