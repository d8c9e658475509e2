package rwkv

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"workbench/arch"
	"workbench/arch/archtest"
)

// ablation is one setting and the number of weights that it adds to a model.
type ablation struct {
	key    string
	value  any
	params int
}

// smooth is a group_norm_eps for the contract. After one token the memory of a
// head is its value times a number, so the norm depends on little but the sign
// of that number; with the official eps it is too steep near 0 for finite
// differences and for rounded weights. Golden cases test the official eps.
const smooth = 1

// rounding is Rounding of archtest.Spec: from version 5 on r, k, v and the gate
// are multiplied with each other, in version 7 also the removal key.
var rounding = map[string]float64{"rwkv5": 2, "rwkv6": 2, "rwkv7": 2}

// contract checks the architecture with config, which has that many weights,
// and with each ablation. Every named value of every setting must be among the
// ablations.
func contract(t *testing.T, name string, config map[string]any, params int, ablations []ablation) {
	t.Helper()
	for _, o := range arch.Options(name) {
		for _, v := range o.Values {
			if ablations != nil && v != o.Default && !slices.ContainsFunc(ablations, func(a ablation) bool { return a.key == o.Key && a.value == v }) {
				t.Errorf("%s=%s is not under test", o.Key, v)
			}
		}
	}
	all := append([]ablation{{}}, ablations...)
	if testing.Short() {
		all = all[:1]
	}
	for _, a := range all {
		c := maps.Clone(config)
		if a.key != "" {
			c[a.key] = a.value
		}
		t.Run(fmt.Sprintf("%s=%v", a.key, a.value), func(t *testing.T) {
			archtest.Run(archtest.Spec{Arch: name, Config: c, Params: params + a.params, Rounding: rounding[name]}, func(clause string, err error) {
				if err != nil {
					t.Errorf("%s: %v", clause, err)
				}
			})
		})
	}
}
