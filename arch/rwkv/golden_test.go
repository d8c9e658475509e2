package rwkv

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
	for _, name := range []string{"golden/rwkv4", "golden/rwkv4_hf_bf16", "golden/rwkv4_stress", "golden/init_rwkv4_L2_C128", "golden/init_rwkv4_L4_C64",
		"golden/rwkv5_small", "golden/rwkv5_fp16", "golden/init_rwkv5_L2_C128", "golden/init_rwkv5_L4_C64",
		"golden/rwkv6_small", "golden/rwkv6_bf16", "golden/init_rwkv6_L2_C128", "golden/init_rwkv6_L4_C64",
		"golden/rwkv7", "golden/rwkv7_small", "golden/init_rwkv7_L2_C128", "golden/init_rwkv7_L4_C64",
		"rwkv.cpp/tiny-rwkv-4v0-660K-FP32.bin", "rwkv.cpp/tiny-rwkv-4v0-660K-FP16.bin"} {
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
