package reports_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strings"

	"workbench/reports"
)

// The report of a run is made of its folder alone: here as Markdown, with its
// figures as SVG, and the verdicts on its claims are printed.
func ExampleRender() {
	dir, err := os.MkdirTemp("", "run")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS("testdata/schema1")); err != nil {
		log.Fatal(err)
	}
	paths, err := reports.Render(dir, []string{"md", "svg"})
	if err != nil {
		log.Fatal(err)
	}
	for _, format := range []string{"md", "svg"} {
		fmt.Println(format, "is", filepath.Base(paths[format]))
	}
	page, err := os.ReadFile(paths["md"])
	if err != nil {
		log.Fatal(err)
	}
	for line := range strings.Lines(string(page)) {
		if verdict, claim, ok := strings.Cut(strings.TrimPrefix(line, "- **"), "**: "); ok {
			claim, _, _ = strings.Cut(claim, ".")
			fmt.Printf("%s: %s\n", verdict, claim)
		}
	}
	// Output:
	// md is report.md
	// svg is figures
	// holds: The memory of inference does not grow with the context
	// holds: Training, reading and generating compute the same function
	// not decided: The time per generated token does not grow with the context, and at long contexts it is less than a transformer's
	// not decided: Inference costs less energy per token than a transformer's
	// not decided: The context is not limited by a window
	// not decided: Token shift and channel mixing are the short-term memory, time mixing is the long-term memory
	// not decided: Its quality holds its own against a transformer of equal size
	// not measured yet: It scales to billions of parameters as transformers do
}
