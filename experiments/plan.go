package experiments

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"workbench/experiments/record"
	"workbench/experiments/workload"
)

// A profile says how much time a run may take.
type profile struct {
	timing    time.Duration // for all timing groups together, 0: no limit
	minRounds int           // blocks at least
	timeout   time.Duration // of one request to a cell
	idle      time.Duration // measuring the idle power, where there is a counter
}

var profiles = map[string]profile{
	"smoke": {timing: 20 * time.Second, minRounds: 2, timeout: time.Minute, idle: time.Second},
	"quick": {timing: 150 * time.Second, minRounds: 8, timeout: 10 * time.Minute, idle: 10 * time.Second},
	"full":  {minRounds: 20, timeout: 12 * time.Hour, idle: 30 * time.Second},
}

// profileOf is the time plan of a profile; a study's own profiles have no limit,
// and the blocks that they ask for.
func profileOf(name string) profile {
	if p, ok := profiles[name]; ok {
		return p
	}
	own := profiles["full"]
	own.minRounds = 2
	return own
}

// A timedGroup is the arms of a part in one timed workload: their processes take
// samples in turn.
type timedGroup struct {
	part     *Part
	workload *workload.Workload
	settings workload.Timed
	arms     []arm
	points   []int // rising
	rounds   int
	sample   time.Duration // shortest sample
}

func (g *timedGroup) key() string { return g.part.Name + "/" + g.workload.Name }

// is tells whether a plan of run.json is the group's.
func (g *timedGroup) is(p record.Group) bool {
	return p.Part == g.part.Name && p.Workload == g.workload.Name
}

// cutName is what the notes of what the group left out begin with.
func (g *timedGroup) cutName() string { return g.part.Name + ", " + g.workload.Name + ": " }

// what names a point of the group.
func (g *timedGroup) what(point int) string {
	return fmt.Sprintf("%s %d", g.workload.Axis.Key, point)
}

// groups are the timed workloads of a part.
func (p *Part) groups(arms []arm) []*timedGroup {
	var out []*timedGroup
	for _, s := range p.Measure {
		if t, ok := s.(workload.Timed); ok {
			plan := t.Plan()
			out = append(out, &timedGroup{p, workload.Of(s), t, p.withPlacebo(arms), t.Points(), plan.Rounds, time.Duration(plan.SampleMS) * time.Millisecond})
		}
	}
	return out
}

// withPlacebo are the arms and the baseline once more: what the two differ by is
// what starts differ by.
func (p *Part) withPlacebo(arms []arm) []arm {
	i := slices.IndexFunc(arms, func(a arm) bool { return a.Label == p.Baseline })
	if i < 0 {
		return arms
	}
	placebo := arms[i]
	placebo.Label, placebo.placebo = placeboOf(p.Baseline), true
	return append(slices.Clone(arms), placebo)
}

// placeboOf is the name in records of the baseline once more.
func placeboOf(baseline string) string { return baseline + " again" }

// id is a cell's stable name: what it is, in 12 hexadecimal digits.
func id(part, label, workload, what string, config map[string]any, settings any) string {
	return hash(part, label, workload, what, config, settings)[:12]
}

func (g *timedGroup) id(a arm, point int) string {
	return id(g.part.Name, a.Label, g.workload.Name, g.what(point), a.Config, g.settings)
}

func hash(parts ...any) string {
	b, err := json.Marshal(parts)
	if err != nil {
		panic("experiments: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// cells lists what is planned, so that holes show.
func (g *timedGroup) cells() []record.Cell {
	var out []record.Cell
	for _, p := range g.points {
		for _, a := range g.arms {
			out = append(out, record.Cell{ID: g.id(a, p), Part: g.part.Name, Arm: a.Label, Workload: g.workload.Name, What: g.what(p)})
		}
	}
	return out
}

// repeatsFor is how often work of that duration is done for one sample.
func repeatsFor(unit, sample time.Duration, most int) int {
	if unit <= 0 {
		return most
	}
	return min(max(1, int((sample+unit-1)/unit)), most)
}

// A cost is the time that one round at a point takes over all arms.
type cost struct {
	point int
	round time.Duration
}

// planPoints are the points that all rounds can be taken at within the time left,
// 0 meaning no limit: neither starts nor rounds are cut. Points are dropped, the
// furthest where the work climbs, else the dearest between the ends, since the
// ends tell most. Three points, which a slope needs, are kept in any case.
func planPoints(left, start time.Duration, costs []cost, rounds int, climbs bool) (points []int) {
	costs = slices.Clone(costs)
	for left != 0 && len(costs) > 3 {
		all := start
		for _, c := range costs {
			all += c.round
		}
		if time.Duration(rounds)*all <= left {
			break
		}
		drop := len(costs) - 1
		if !climbs {
			drop = 1
			for i := range costs[1 : len(costs)-1] {
				if costs[i+1].round > costs[drop].round {
					drop = i + 1
				}
			}
		}
		costs = slices.Delete(costs, drop, drop+1)
	}
	for _, c := range costs {
		points = append(points, c.point)
	}
	return points
}

// nextFits tells whether the next depth can be reached within the time left,
// given how long it took to the present one: reading costs at most the square
// of the depth, and it is done twice.
func nextFits(spent time.Duration, at, next int, left time.Duration) bool {
	if left == 0 || at == 0 {
		return true
	}
	ratio := float64(next) / float64(at)
	total := time.Duration(float64(spent) * ratio * ratio)
	return total-spent+total <= left
}
