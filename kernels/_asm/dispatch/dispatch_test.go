package dispatch

import (
	"slices"
	"strings"
	"testing"

	"workbench/kernels/_asm/table"
)

// TestMoreLevels generates two levels for one GOARCH and a level for another.
func TestMoreLevels(t *testing.T) {
	levels, ops, parts := table.Levels, table.Ops, table.Parts
	defer func() { table.Levels, table.Ops, table.Parts = levels, ops, parts }()
	table.Levels = []table.Level{
		{Name: "avx2", Suffix: "AVX2", Arch: "amd64", Needs: "cpu.X86.HasAVX2"},
		{Name: "avx512", Suffix: "AVX512", Arch: "amd64", Needs: "cpu.X86.HasAVX512F"},
		{Name: "neon", Suffix: "NEON", Arch: "arm64", Needs: "cpu.ARM64.HasASIMD"},
	}
	table.Parts = nil
	sum := table.Func{Name: "sum", Params: []table.Param{{Name: "x", Type: "[]float32"}, {Name: "y", Type: "[]float32"}, {Name: "a", Type: "float32"}}, Result: "float32", Doc: "adds."}
	tile := table.Func{Name: "tile", Params: []table.Param{{Name: "j", Type: "*job"}, {Name: "n", Type: "int"}}, Doc: "does n."}
	table.Ops = []table.Op{
		{Func: sum, Impls: []table.Impl{{Level: "avx2"}, {Level: "avx512", When: "a > 0"}, {Level: "neon"}}},
		{Func: tile, Impls: []table.Impl{{Level: "avx512", ByHand: true}}},
	}
	files := Files()
	for name, want := range map[string]string{
		"zdispatch_amd64.go": `func sum(x, y []float32, a float32) float32 {
	if inUse >= avx512 && a > 0 {
		return sumAVX512(at(x), at(y), a, len(x))
	}
	if inUse >= avx2 {
		return sumAVX2(at(x), at(y), a, len(x))
	}
	return sumGeneric(x, y, a)
}

// tile does n.
func tile(j *job, n int) {
	if inUse >= avx512 {
		tileAVX512(j, n)
		return
	}
	tileGeneric(j, n)
}
`,
		"zdispatch_arm64.go": `func tile(j *job, n int) {
	tileGeneric(j, n)
}
`,
		"zassembly_arm64.go": `// sumNEON adds.
//
//go:noescape
func sumNEON(x, y *float32, a float32, n int) float32
`,
		"zdispatch_noasm.go": `//go:build !(amd64 || arm64) || purego
`,
	} {
		if !strings.Contains(string(files[name]), want) {
			t.Errorf("%s lacks\n%s\nit is\n%s", name, want, files[name])
		}
	}
	if strings.Contains(string(files["zassembly_amd64.go"]), "tile") {
		t.Error("what is written by hand is declared as assembly")
	}
}

// TestTable checks that every row names existing levels, each once.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range table.Ops {
		if seen[o.Name] {
			t.Errorf("%s has two rows", o.Name)
		}
		seen[o.Name] = true
		for n, i := range o.Impls {
			if slices.ContainsFunc(o.Impls[:n], func(other table.Impl) bool { return other.Level == i.Level }) {
				t.Errorf("%s has two implementations at %s", o.Name, i.Level)
			}
			table.FindLevel(i.Level)
		}
	}
	for _, l := range table.Levels {
		for _, f := range table.Assembly(l.Name) {
			if seen[f.Name] {
				t.Errorf("%s is declared twice", f.Name)
			}
			seen[f.Name] = true
		}
	}
}
