package main

import (
	"flag"
	"fmt"
	"slices"
	"strings"
)

// A mode is a way in which a command works: what it is called, and the flags
// that it uses.
type mode struct {
	name string
	uses []string
	why  string // it uses no others
}

// refuse tells of flags on the command line that the mode does not use.
func (m mode) refuse(fs *flag.FlagSet) (err error) {
	fs.Visit(func(f *flag.Flag) {
		if err != nil || slices.Contains(m.uses, f.Name) {
			return
		}
		err = fmt.Errorf("%s does not use --%s: leave out --%s", m.name, f.Name, f.Name)
		if m.why != "" {
			err = fmt.Errorf("%s does not use --%s, %s: leave out --%s", m.name, f.Name, m.why, f.Name)
		}
	})
	return err
}

// A rule is about two flags. Where the second is needed, the first does
// nothing without it; else the two cannot go together.
type rule struct {
	flag  string
	needs bool
	other []string // any of them
	why   string
}

// check holds the command line against the rule.
func (r rule) check(given func(name string) bool) error {
	if !given(r.flag) {
		return nil
	}
	i := slices.IndexFunc(r.other, given)
	switch {
	case r.needs && i < 0:
		return fmt.Errorf("--%s does nothing without --%s: %s", r.flag, strings.Join(r.other, " or --"), r.why)
	case !r.needs && i >= 0:
		return fmt.Errorf("--%s and --%s contradict each other: %s", r.flag, r.other[i], r.why)
	}
	return nil
}

// given tells which flags are on the command line.
func given(fs *flag.FlagSet) func(name string) bool {
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	return func(name string) bool { return set[name] }
}

// checkFlags holds the command line against the command's mode and rules.
func (c command) checkFlags(fs *flag.FlagSet, args []string) error {
	if c.mode != nil {
		if m, ok := c.mode(fs, args); ok {
			if err := m.refuse(fs); err != nil {
				return err
			}
		}
	}
	set := given(fs)
	for _, r := range c.rules {
		if err := r.check(set); err != nil {
			return err
		}
	}
	return nil
}

// resumed is the mode of a command that goes on with a folder.
func resumed(name string, uses ...string) func(*flag.FlagSet, []string) (mode, bool) {
	m := mode{name + " --resume", append(uses, "resume"), "which takes everything from its folder"}
	return func(fs *flag.FlagSet, _ []string) (mode, bool) { return m, given(fs)("resume") }
}

// maxThreads is as many as kernels use.
const maxThreads = 256

// checkThreads refuses a number of threads that cannot be, 0 being all.
func checkThreads(n int) error {
	if n < 0 || n > maxThreads {
		return fmt.Errorf("--threads %d: give 1 to %d, or 0 for all cores", n, maxThreads)
	}
	return nil
}

// most bounds every number of tokens, sequences or samples on a command line.
const most = 1 << 40

// inRange refuses a number outside its bounds, both included.
func inRange(name string, n, least, limit int) error {
	if n < least || n > limit {
		return fmt.Errorf("--%s %d: give a whole number from %d to %d", name, n, least, limit)
	}
	return nil
}
