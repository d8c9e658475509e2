// Command asm generates files of package kernels from the table: the dispatch
// among implementations, the Go declarations of assembly, and the assembly.
package main

import (
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/mmcloughlin/avo/build"
	"workbench/kernels/_asm/dispatch"
	"workbench/kernels/_asm/matmul"
	"workbench/kernels/_asm/matvec"
	"workbench/kernels/_asm/ops"
)

// groups are the generators of AVX2 assembly, by file.
var groups = func() map[string]func() {
	all := map[string]func(){"matmul": matmul.Write, "matvec": matvec.Write}
	maps.Copy(all, ops.Groups)
	return all
}()

func main() {
	log.SetFlags(0)
	group := flag.String("group", "", "write this group's assembly alone, to -out")
	flag.Parse()
	if *group == "" {
		if err := writeAll(".."); err != nil {
			log.Fatal("asm: ", err)
		}
		return
	}
	build.ConstraintExpr("!purego")
	groups[*group]()
	build.Generate()
}

// writeAll writes every generated file into dir. The assembler library holds
// one file at a time, so each group runs in a process of its own.
func writeAll(dir string) error {
	for name, text := range dispatch.Files() {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(groups)) {
		cmd := exec.Command(self, "-group", name, "-out", filepath.Join(dir, name+"_amd64.s"), "-pkg", "kernels")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
