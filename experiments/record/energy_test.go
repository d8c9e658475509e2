package record

import "testing"

func TestTotal(t *testing.T) {
	j := 7.0
	is := func(domain, tier string, total bool) Energy {
		e := Energy{Domain: domain, Tier: tier, Total: total, Reason: "why " + domain}
		if tier != TierNone {
			e.Joules = &j
		}
		return e
	}
	for name, c := range map[string]struct {
		es             []Energy
		measured, none string
	}{
		"marked":             {[]Energy{is("package-0", TierCounter, false), is("all", TierCounter, true), is("guess", TierEstimated, true)}, "all", ""},
		"marked, none":       {[]Energy{is("all", TierNone, true), is("package-0", TierCounter, false), is("guess", TierEstimated, true)}, "", "why all"},
		"before the mark":    {[]Energy{is("cpu", TierCounter, false), is("package-0", TierCounter, false), is("guess", TierEstimated, false)}, "cpu", ""},
		"before, none":       {[]Energy{is("cpu", TierNone, false), is("package-0", TierCounter, false), is("guess", TierEstimated, false)}, "", "why cpu"},
		"a meter alone":      {[]Energy{is("wall", TierCounter, false), is("guess", TierEstimated, false)}, "wall", ""},
		"which of the two":   {[]Energy{is("package-0", TierCounter, false), is("core", TierCounter, false), is("guess", TierEstimated, false)}, "", ""},
		"nothing but guess":  {[]Energy{is("package-0", TierNone, false), is("guess", TierEstimated, false)}, "", "why package-0"},
		"nothing but guess!": {[]Energy{is("guess", TierEstimated, true)}, "", ""},
	} {
		got := ""
		if e := Total(c.es, TierCounter); e != nil {
			got = e.Domain
		}
		if got != c.measured || NoTotal(c.es) != c.none {
			t.Errorf("%s: total %q, reason %q; want %q, %q", name, got, NoTotal(c.es), c.measured, c.none)
		}
		if e := Total(c.es, TierEstimated); e == nil || e.Domain != "guess" {
			t.Errorf("%s: the estimate is %+v", name, e)
		}
	}
}

// TestMeasured checks that the total is found in any measured tier.
func TestMeasured(t *testing.T) {
	for tier, want := range map[string]bool{TierWall: true, TierCounter: true, TierSampled: true, TierEstimated: false, TierModelled: false, TierNone: false} {
		es := []Energy{{Domain: "package-0", Tier: TierCounter}, {Domain: "machine", Tier: tier, Total: true}}
		if e := Measured(es); (e != nil) != want || e != nil && e.Domain != "machine" {
			t.Errorf("%s: %+v", tier, e)
		}
	}
}

func TestTakeIdle(t *testing.T) {
	j := 10.0
	e := Energy{Joules: &j, WindowNS: 2e9}
	if e.TakeIdle(3, 1); e.NetJ == nil || *e.NetJ != 4 || *e.IdleW != 3 || *e.IdleSDW != 1 || e.Reason != "" {
		t.Errorf("%+v", e)
	}
	if e.TakeIdle(6, 1); e.NetJ != nil || e.Reason == "" {
		t.Errorf("a net energy below 0: %+v", e)
	}
}
