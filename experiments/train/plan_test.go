package train

import (
	"math"
	"strings"
	"testing"
)

func TestRate(t *testing.T) {
	cosine := Plan{Steps: 110, LR: 1, MinLR: 0.1, Warmup: 10, Schedule: "cosine"}
	constant := Plan{Steps: 110, LR: 1, Warmup: 10, Schedule: "constant"}
	for _, c := range []struct {
		plan Plan
		step int
		want float64
	}{
		{cosine, 0, 1.0 / 11}, {cosine, 9, 10.0 / 11}, {cosine, 10, 1}, {cosine, 60, 0.55},
		{cosine, 35, 0.1 + 0.9*(1+math.Sqrt2/2)/2}, {cosine, 110, 0.1},
		{constant, 4, 5.0 / 11}, {constant, 10, 1}, {constant, 109, 1},
	} {
		if got := c.plan.rate(c.step); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s at step %d: %v, want %v", c.plan.Schedule, c.step, got, c.want)
		}
	}
}

func TestPlanCheck(t *testing.T) {
	if err := Default.Check(); err != nil {
		t.Errorf("the default plan: %v", err)
	}
	for _, c := range []struct {
		change func(*Plan)
		want   string
	}{
		{func(p *Plan) { p.Steps = 0 }, "steps"},
		{func(p *Plan) { p.Batch = 0 }, "batch"},
		{func(p *Plan) { p.Context = -1 }, "context"},
		{func(p *Plan) { p.Warmup = p.Steps + 1 }, "warm-up"},
		{func(p *Plan) { p.EvalEvery = -1 }, "evaluations"},
		{func(p *Plan) { p.EvalTokens = 0 }, "held-out"},
		{func(p *Plan) { p.Schedule = "linear" }, `"linear" is not one of cosine, exponential, constant`},
		{func(p *Plan) { p.LR = 0 }, "learning rate 0"},
		{func(p *Plan) { p.LR = math.NaN() }, "learning rate NaN"},
		{func(p *Plan) { p.LR = math.Inf(1) }, "learning rate +Inf"},
		{func(p *Plan) { p.MinLR = 2 * p.LR }, "final learning rate"},
		{func(p *Plan) { p.Schedule = "constant" }, "constant schedule"},
		{func(p *Plan) { p.Beta1 = 1 }, "beta1"},
		{func(p *Plan) { p.Beta2 = math.NaN() }, "beta2"},
		{func(p *Plan) { p.Eps = 0 }, "epsilon"},
		{func(p *Plan) { p.WeightDecay = -1 }, "weight decay"},
		{func(p *Plan) { p.Clip = math.Inf(1) }, "gradient clip"},
	} {
		p := Default
		c.change(&p)
		if err := p.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestExponentialSchedule(t *testing.T) {
	p := Plan{Steps: 110, Warmup: 10, LR: 4e-3, MinLR: 1e-5, Schedule: "exponential"}
	for step, want := range map[int]float64{10: 4e-3, 60: math.Sqrt(4e-3 * 1e-5), 110: 1e-5} {
		if got := p.rate(step); math.Abs(got-want) > 1e-12 {
			t.Errorf("step %d: %v, want %v", step, got, want)
		}
	}
	p.AdamWConfig, p.Batch, p.Context, p.EvalTokens, p.MinLR = Default.AdamWConfig, 1, 1, 1, 0
	if err := p.Check(); err == nil {
		t.Error("an exponential schedule ends at 0")
	}
}
