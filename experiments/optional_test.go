package experiments

import (
	"strings"
	"testing"

	"workbench/experiments/workload"
)

// Settings that may be left out are told from those given as 0 or false, in a
// file, in a profile and on the command line.
func TestOptionalSettings(t *testing.T) {
	const study = `name: toy
arch: [{use: rnn, dim: 8, layers: 1}]
corpus: grammar
measure:
  prefill: {tokens: 8, chunk: [4], context: 16, cascade: true}
profiles:
  smoke:
    toy: {prefill: {cascade: false, context: 0}}
`
	for _, c := range []struct {
		profile string
		set     []string
		context int
		cascade bool
	}{
		{"quick", nil, 16, true},
		{"smoke", nil, 0, false},
		{"quick", []string{"prefill.cascade=false"}, 16, false},
		{"quick", []string{"prefill.context=0"}, 0, true},
		{"smoke", []string{"prefill.cascade=true", "prefill.context=5"}, 5, true},
	} {
		s, err := parse(t, study).resolve(Options{Profile: c.profile, Set: c.set})
		if err != nil {
			t.Fatal(err)
		}
		again := parse(t, s.YAML())
		for _, p := range []*workload.Prefill{measured[*workload.Prefill](s.Parts[0]), measured[*workload.Prefill](again.Parts[0])} {
			if *p.Context != c.context || *p.Cascade != c.cascade {
				t.Errorf("profile %s, set %q: context %d, cascade %v", c.profile, c.set, *p.Context, *p.Cascade)
			}
		}
	}
	s := parse(t, study)
	for says, set := range map[string]string{
		"prefill: context: -1 is not between 0 and 1048576": "prefill.context=-1",
		"cannot unmarshal string into Go struct field":      "prefill.cascade=maybe",
		"cannot unmarshal uint64 into Go struct field":      "prefill.cascade=1",
	} {
		_, err := s.resolve(Options{Profile: "quick", Set: []string{set}})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("--set %s: %v, want %q", set, err, says)
		}
	}
}
