package arch_test

import (
	"os"
	"path/filepath"
	"testing"

	"workbench/arch"
	"workbench/arch/archtest"
)

// registered are the architectures of the program, without those that tests
// register.
var registered = arch.Names()

// TestSmallGolden compares every architecture with the small golden case in its
// testdata, which a clone without ../shared has too.
func TestSmallGolden(t *testing.T) {
	const limit = 100 << 10 // bytes of a case
	for _, name := range registered {
		t.Run(name, func(t *testing.T) {
			found, err := filepath.Glob(filepath.Join("*", "testdata", name, "golden.safetensors"))
			if err != nil || len(found) != 1 {
				t.Fatalf("its package's testdata/%s has no golden case (%d found)", name, len(found))
			}
			dir := filepath.Dir(found[0])
			if n := folderBytes(t, dir); n > limit {
				t.Errorf("%s holds %d bytes, more than %d", dir, n, limit)
			}
			results, err := archtest.Golden(dir, archtest.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				for _, quantity := range []string{"logits", "logits_stepwise", "state", "loss", "grad"} {
					if _, ok := r.MaxAbs[quantity]; !ok {
						t.Errorf("%s: %s is not compared", r.Impl, quantity)
					}
				}
				if !r.Pass {
					t.Errorf("%s: %s", r.Impl, r.Error)
				}
			}
		})
	}
}

func folderBytes(t *testing.T, dir string) (n int64) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		n += info.Size()
	}
	return n
}
