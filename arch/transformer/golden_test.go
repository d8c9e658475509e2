package transformer

import (
	"path/filepath"
	"testing"

	"workbench/arch/archtest"
)

func TestGolden(t *testing.T) {
	data := archtest.Shared()
	if data == "" {
		t.Skip("golden data is not here: ../shared/data beside the repository")
	}
	for _, name := range []string{"golden/nanogpt", "golden/gpt2_hf", "golden/llama_hf"} {
		t.Run(name, func(t *testing.T) {
			results, err := archtest.Golden(filepath.Join(data, filepath.FromSlash(name)), archtest.Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range results {
				if !r.Pass {
					t.Errorf("%s: %s %v", r.Impl, r.Error, r.MaxAbs)
				}
			}
		})
	}
}
