package record

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func TestKeys(t *testing.T) {
	r := Record{Keys: map[string]any{"text": "a", "number": 0.5, "count": 3, "seed": uint64(4), "on": true}}
	r.SetConfig(map[string]any{"dim": 64.0, "ffn.dim": 128.0})
	for key, want := range map[string]string{"text": "a", "number": "0.5", "count": "3", "seed": "4", "on": "true", "config.dim": "64", "absent": ""} {
		if got := r.Text(key); got != want {
			t.Errorf("%s reads %q, want %q", key, got, want)
		}
	}
	for key, want := range map[string]float64{"number": 0.5, "count": 3, "seed": 4, "text": math.NaN(), "on": math.NaN(), "absent": math.NaN()} {
		if got, ok := r.Key(key); ok != !math.IsNaN(want) || ok && got != want {
			t.Errorf("%s is %g, %v, want %g", key, got, ok, want)
		}
	}
	if c := r.Keys; c["config.dim"] != 64.0 || c["config.ffn.dim"] != 128.0 {
		t.Errorf("configuration %v", c)
	}
}

func TestKeyNames(t *testing.T) {
	got := KeyNames([]Record{{Keys: map[string]any{"config.dim": 1, "depth": 1, KeyImpl: 1, KeyArm: 1, "batch": 1}}, {Keys: map[string]any{KeyStudy: 1, KeyArm: 1, "config.a": 1}}})
	if want := []string{KeyStudy, KeyArm, KeyImpl, "batch", "depth", "config.a", "config.dim"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestQuantitiesAreDefinedOnce(t *testing.T) {
	old := quantities
	defer func() { quantities = old }()
	Define(Quantity{Name: "toy:"})
	Define(Quantity{Name: "atoy"})
	for name, want := range map[string]bool{"toy:7": true, "toy": false, "atoy": true, "atoy2": false} {
		if Known(name) != want {
			t.Errorf("%q is known: %v", name, !want)
		}
	}
	i := slices.IndexFunc(Quantities(), func(q Quantity) bool { return q.Name == "atoy" })
	j := slices.IndexFunc(Quantities(), func(q Quantity) bool { return q.Name == "toy:" })
	if i < 0 || j < i {
		t.Errorf("%v are not in order", Quantities())
	}
	for name, f := range map[string]func(){
		"defined": func() { Define(Quantity{Name: "toy:9"}) },
		"in one":  func() { r := &Record{}; r.Add(Value{}); r.Add(Value{}) },
	} {
		func() {
			defer func() {
				if p, _ := recover().(string); !strings.HasPrefix(p, "record: ") || !strings.Contains(p, "twice") {
					t.Errorf("%s twice: %q", name, p)
				}
			}()
			f()
		}()
	}
}
