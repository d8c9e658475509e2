package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"workbench/experiments"
	"workbench/experiments/record"
	"workbench/reports"
)

const defaultStudy = "article"

var runCommand = command{
	name:  "run",
	args:  "[STUDY | FILE.yaml]",
	short: "Run a study (default: " + defaultStudy + ") and write its report; the last line on stdout is the path of report.html.",
	example: `workbench run
workbench run token-shift --profile full --corpus ~/notes
workbench run --resume runs/article-20260102-150405`,
	mode:  resumed("run"),
	setup: setupRun,
}

func setupRun(fs *flag.FlagSet) body {
	var o experiments.Options
	fs.StringVar(&o.Profile, "profile", "quick", "how much to measure, `smoke|quick|full`")
	fs.StringVar(&o.Out, "out", "", "write the run into the folder `DIR`; it must not hold a run (default runs/STUDY-TIME)")
	fs.Var((*list)(&o.Set), "set", "replace an axis of the study: `axis=v1,v2` (dim=64,128 or quality.steps=100; repeatable)")
	fs.StringVar(&o.Resume, "resume", "", "go on with the run in `DIR`, which decides all other settings: what it lacks is measured")
	fs.Uint64Var(&o.Seed, "seed", 1, "seed `N` of weights, data and the order of samples")
	fs.StringVar(&o.Corpus, "corpus", "", "text to use, `PATH|NAME`: a file, a folder, or a corpus that workbench list names")
	fs.IntVar(&o.Threads, "threads", 0, "threads `N` of the timing cells (default all cores)")
	return func(args []string, out output) error {
		study, err := chooseStudy(args, o)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // a second Ctrl-C kills
		o.Progress = out.stderr
		o.Command = commandLine(fs, args)
		dir, err := experiments.Run(ctx, study, o)
		if err != nil {
			return err
		}
		return present(dir, out)
	}
}

// chooseStudy checks the command line and loads the study, nil with --resume.
func chooseStudy(args []string, o experiments.Options) (*experiments.Study, error) {
	if len(args) > 1 {
		return nil, usageError{fmt.Errorf("one study at a time: %q is one too many", args[1])}
	}
	if err := checkThreads(o.Threads); err != nil {
		return nil, usageError{err}
	}
	if o.Seed == 0 {
		return nil, usageError{errors.New("--seed 0: give 1 or more")}
	}
	if o.Resume != "" {
		if len(args) > 0 {
			return nil, usageError{fmt.Errorf("--resume takes the study from its folder: leave out %q", args[0])}
		}
		return nil, nil
	}
	study, err := experiments.Load(append(args, defaultStudy)[0])
	if err != nil {
		return nil, err
	}
	profiles := []string{"smoke", "quick", "full"}
	for _, own := range slices.Sorted(maps.Keys(study.Profiles)) {
		if !slices.Contains(profiles, own) {
			profiles = append(profiles, own)
		}
	}
	if !slices.Contains(profiles, o.Profile) {
		return nil, usageError{fmt.Errorf("no profile %q (known: %s)", o.Profile, strings.Join(profiles, ", "))}
	}
	return study, nil
}

// present renders the report of a run and prints its path last.
func present(dir string, out output) error {
	paths, err := reports.Render(dir, []string{"html", "png", "svg"})
	if err != nil {
		return err
	}
	if err := reports.Summary(out.stderr, dir); err != nil {
		return err
	}
	html, err := filepath.Abs(paths["html"])
	if err != nil {
		return err
	}
	fmt.Fprintln(out.stdout, html)
	return nil
}

// commandLine repeats a command: the flags given but for --out, whose folder
// is taken then, and the arguments.
func commandLine(fs *flag.FlagSet, args []string) string {
	words := []string{"workbench", fs.Name()}
	fs.Visit(func(f *flag.Flag) {
		if f.Name == "out" {
			return
		}
		values := list{f.Value.String()}
		if l, ok := f.Value.(*list); ok {
			values = *l
		}
		for _, v := range values {
			words = append(words, "--"+f.Name, quote(v))
		}
	})
	for _, a := range args {
		words = append(words, quote(a))
	}
	return strings.Join(words, " ")
}

// quote makes one word of s for a POSIX shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./=,:@+%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

var showCommand = command{
	name:    "show",
	args:    "STUDY",
	short:   "Print a study's YAML, to copy and change.",
	example: "workbench show article > mine.yaml",
	setup: func(*flag.FlagSet) body {
		return func(args []string, out output) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("name one study (known: %s)", strings.Join(experiments.Catalog(), ", "))}
			}
			study, err := experiments.Load(args[0])
			if err != nil {
				return err
			}
			_, err = io.WriteString(out.stdout, study.YAML())
			return err
		}
	},
}

var formats = reports.Formats()

var reportCommand = command{
	name:    "report",
	args:    "DIR...",
	short:   "Render the report of a run again from its records alone, or draw the curves of training runs in one picture, and print the paths.",
	example: "workbench report runs/article-20260102-150405 --format html,csv\nworkbench report runs/train-a runs/train-b --format png",
	setup: func(fs *flag.FlagSet) body {
		format := fs.String("format", "html,png,svg", "what to render, of `"+strings.Join(formats, ",")+"`")
		return func(dirs []string, out output) error {
			if len(dirs) == 0 {
				return usageError{errors.New("name the folder of a run")}
			}
			want := strings.Split(*format, ",")
			for _, f := range want {
				if !slices.Contains(formats, f) {
					return usageError{fmt.Errorf("no format %q (known: %s)", f, strings.Join(formats, ", "))}
				}
			}
			if _, err := os.Stat(filepath.Join(dirs[0], jobFile)); err == nil {
				if at := slices.IndexFunc(want, func(f string) bool { return f != "png" && f != "svg" }); at >= 0 && given(fs)("format") {
					return usageError{fmt.Errorf("training runs are drawn as png or svg, not as %s", want[at])}
				}
				return drawCurves(dirs, want, out)
			}
			for _, dir := range dirs {
				paths, err := reports.Render(dir, want)
				if errors.As(err, new(*record.NoRun)) {
					return fmt.Errorf("%w: give the folder that workbench run wrote", err)
				}
				if err != nil {
					return err
				}
				for _, f := range want {
					fmt.Fprintln(out.stdout, paths[f])
				}
			}
			return nil
		}
	},
}

var cellCommand = command{
	name:    "cell",
	short:   "Measure one cell of a study: requests on stdin, replies on stdout, one JSON object a line.",
	example: "workbench cell < requests.jsonl",
	hidden:  true,
	setup: func(*flag.FlagSet) body {
		return func(args []string, out output) error {
			if err := noArgs(args); err != nil {
				return err
			}
			signal.Ignore(os.Interrupt) // Note: the terminal signals the whole group, the parent decides.
			return experiments.ServeCell(os.Stdin, out.stdout)
		}
	},
}
