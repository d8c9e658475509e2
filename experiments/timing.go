package experiments

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"workbench/arch/nn"
	"workbench/experiments/meter"
	"workbench/experiments/record"
	"workbench/experiments/stats"
)

// A timedArm is one arm of a group, with the process that runs it.
type timedArm struct {
	arm   arm
	child *child
	units map[int]time.Duration // the work of a point, once
	bad   map[int]bool          // points that failed
	rss   int64                 // peak after it was set up
	out   error                 // why it is measured no more
}

// interleaved is a timing group under way.
type interleaved struct {
	*runner
	*timedGroup
	timed   []*timedArm
	repeats map[string]int               // by label and point
	times   map[int]map[string][]float64 // ns a token, by point and label
	begun   time.Time
	limit   time.Duration // for the whole group, 0: none
	expect  time.Duration // for all rounds
}

// timing measures a group. All processes are started and warmed; then in each
// round each takes its samples in turn, in an order shuffled every round, the
// others waiting for their input.
func (r *runner) timing(ctx context.Context, g *timedGroup) error {
	c := &interleaved{runner: r, timedGroup: g, repeats: map[string]int{}, times: map[int]map[string][]float64{}, begun: r.now(), limit: r.share()}
	defer c.close()
	for _, a := range g.arms {
		c.timed = append(c.timed, &timedArm{arm: a, bad: map[int]bool{}})
	}
	asked := slices.Clone(g.points)
	together, err := c.setUpAll(ctx)
	if err != nil {
		return err
	}
	rounds, points := planRounds(c.left(), c.costs(), g.rounds, r.profile.minRounds, g.settings.Climbs())
	c.points = points
	c.tellCuts(asked)
	if err := c.planned(rounds); err != nil {
		return err
	}
	for _, cost := range c.costs() {
		c.expect += time.Duration(rounds) * cost.round
	}
	done, err := c.takeRounds(ctx, rounds, together)
	if err != nil {
		return err
	}
	if done < c.rounds {
		c.cut(c.timedGroup, "%d of %d rounds", done, c.rounds)
	}
	c.noise()
	r.spent += r.now().Sub(c.begun)
	return c.planned(done)
}

// planned notes in run.json which samples the group consists of.
func (c *interleaved) planned(rounds int) error {
	c.run.Groups = slices.DeleteFunc(c.run.Groups, c.timedGroup.is)
	c.run.Groups = append(c.run.Groups, record.Group{Part: c.part.Name, Workload: c.workload.Name, Points: c.points, Rounds: rounds})
	return c.save()
}

// left is the time left for the group, 0 meaning no limit.
func (c *interleaved) left() time.Duration {
	if c.limit == 0 {
		return 0
	}
	return max(time.Millisecond, c.limit-c.now().Sub(c.begun))
}

// memoryMargin is how much more memory than the largest process so far must be
// free before another is started. Tests change it.
var memoryMargin = 1.25

// setUpAll starts and warms all processes, and tells whether they fit into
// memory together; otherwise none is left running.
func (c *interleaved) setUpAll(ctx context.Context) (together bool, err error) {
	together = true
	var largest int64
	for i, p := range c.timed {
		free, err := meter.Free()
		if err == nil && float64(free) < memoryMargin*float64(largest) {
			together = false
			c.close()
		}
		left := c.left() / time.Duration(2*(len(c.timed)-i))
		if err := c.setUp(ctx, p, left); err != nil {
			return false, err
		}
		largest = max(largest, p.rss)
		if !together {
			p.close()
		}
	}
	return together, nil
}

// setUp starts an arm's process and visits every point, rising; points that
// would take too long are dropped for all. The error is ctx's or that of
// writing a record.
func (c *interleaved) setUp(ctx context.Context, p *timedArm, left time.Duration) error {
	p.units = map[int]time.Duration{}
	begun := c.now()
	child, err := startChild(c.exe, c.profile.timeout)
	if err != nil {
		return c.drop(ctx, p, err)
	}
	p.child = child
	s := newSpec(p.arm, c.settings)
	s.Seed, s.Threads, s.Tokens = c.run.Seed, c.threads, c.tokens(c.part)
	if _, err := p.child.ask(ctx, request{Op: opStart, Spec: s}, nil); err != nil {
		return c.drop(ctx, p, err)
	}
	for i, point := range c.points {
		if i >= 3 && c.settings.Climbs() && !nextFits(c.now().Sub(begun), c.points[i-1], point, left) {
			c.points = c.points[:i]
			break
		}
		c.at(p, point, 0, c.rest(c.left()))
		answer, err := p.child.ask(ctx, request{Op: opVisit, Point: point}, nil)
		var gone *died
		switch {
		case errors.As(err, &gone) || ctx.Err() != nil:
			return c.drop(ctx, p, err)
		case err != nil:
			if err := c.failPoint(p, point, err); err != nil {
				return err
			}
		default:
			p.units[point] = time.Duration(answer.UnitNS)
		}
	}
	answer, err := p.child.ask(ctx, request{Op: opReady, Points: p.reached(c.points)}, nil)
	if err != nil {
		return c.drop(ctx, p, err)
	}
	p.rss = answer.RSS
	return nil
}

// reached are those of points that the arm can be measured at.
func (p *timedArm) reached(points []int) []int {
	return slices.DeleteFunc(slices.Clone(points), func(x int) bool { return p.bad[x] })
}

// drop takes an arm out: its cells failed. Other errors than the arm's
// own are returned.
func (c *interleaved) drop(ctx context.Context, p *timedArm, reason error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.out = reason
	p.close()
	for _, point := range c.points {
		if p.bad[point] {
			continue
		}
		if err := c.failPoint(p, point, reason); err != nil {
			return err
		}
	}
	return nil
}

func (c *interleaved) failPoint(p *timedArm, point int, reason error) error {
	p.bad[point] = true
	return c.fail(c.part, p.arm, c.workload.Name, c.id(p.arm, point), c.what(point), c.run.Seed, reason)
}

// repeat is how often an arm does the work of a point for one sample. In
// decoding it is the same for all arms, so that all are at the same depth.
func (c *interleaved) repeat(p *timedArm, point int) int {
	unit := p.units[point]
	if c.settings.Climbs() {
		for _, q := range c.timed {
			if u, ok := q.units[point]; ok && q.out == nil {
				unit = min(unit, u)
			}
		}
	}
	return repeatsFor(unit, c.least(), c.settings.Most(point))
}

// least is the shortest sample. Where a counter of energy needs a longer window
// than was asked for, a quarter more is planned, so that the fastest arm
// reaches it too: one that does not does its work again.
func (c *interleaved) least() time.Duration { return max(c.sample, c.window*5/4) }

// takes is how long an arm's sample at a point takes, work done again for
// the sake of the window included.
func (c *interleaved) takes(p *timedArm, point int) time.Duration {
	once := p.units[point] * time.Duration(c.repeat(p, point))
	if once <= 0 {
		return c.window
	}
	return once * max(1, (c.window+once-1)/once)
}

// costs is what a round takes, by point.
func (c *interleaved) costs() []cost {
	var out []cost
	for _, point := range c.points {
		sum := cost{point: point}
		for _, p := range c.timed {
			if p.out == nil {
				sum.round += c.takes(p, point)
			}
		}
		out = append(out, sum)
	}
	return out
}

// takeRounds runs the rounds, fewer when the time is over and the least number is
// done, and returns how many it did.
func (c *interleaved) takeRounds(ctx context.Context, rounds int, together bool) (int, error) {
	least := min(rounds, c.profile.minRounds)
	for round := range rounds {
		begun := c.now()
		r := nn.Rand(c.run.Seed, fmt.Sprintf("%s round %d", c.key(), round))
		var err error
		if together {
			err = c.roundTogether(ctx, r, round, rounds)
		} else {
			err = c.roundApart(ctx, r, round, rounds)
		}
		if err != nil {
			return round, err
		}
		took := c.now().Sub(begun)
		if c.limit != 0 && round+1 >= least && c.left() < took {
			return round + 1, nil
		}
	}
	return rounds, nil
}

// roundTogether lets every arm take one sample at every point: the points
// in random order, at each the arms in random order.
func (c *interleaved) roundTogether(ctx context.Context, r *rand.Rand, round, rounds int) error {
	slot := 0
	for _, i := range r.Perm(len(c.points)) {
		for _, j := range r.Perm(len(c.timed)) {
			if err := c.takeSample(ctx, c.timed[j], c.points[i], round, rounds, slot); err != nil {
				return err
			}
			slot++
		}
	}
	return nil
}

// roundApart is a round of arms whose processes do not fit into memory together: each
// is started afresh when it is its turn.
func (c *interleaved) roundApart(ctx context.Context, r *rand.Rand, round, rounds int) error {
	slot := 0
	for _, j := range r.Perm(len(c.timed)) {
		p := c.timed[j]
		if p.out != nil {
			continue
		}
		if err := c.setUp(ctx, p, 0); err != nil {
			return err
		}
		for _, i := range r.Perm(len(c.points)) {
			if err := c.takeSample(ctx, p, c.points[i], round, rounds, slot); err != nil {
				return err
			}
			slot++
		}
		p.close()
	}
	return nil
}

// takeSample asks an arm's process for one sample and records it.
func (c *interleaved) takeSample(ctx context.Context, p *timedArm, point, round, rounds, slot int) error {
	if p.bad[point] || p.out != nil {
		return nil
	}
	repeats, ok := c.repeats[fmt.Sprint(p.arm.Label, point)]
	if !ok {
		repeats = c.repeat(p, point)
		c.repeats[fmt.Sprint(p.arm.Label, point)] = repeats
	}
	answer, err := p.child.ask(ctx, request{Op: opSample, Point: point, Repeats: repeats}, nil)
	if err == nil && len(answer.Records) != 1 {
		err = errors.New("the process sent no record")
	}
	if err != nil {
		return c.drop(ctx, p, err)
	}
	rec := answer.Records[0]
	rec.Keys[record.KeyBlock], rec.Keys[record.KeySlot] = round, slot
	perToken, speed := rates(&rec)
	if c.times[point] == nil {
		c.times[point] = map[string][]float64{}
	}
	c.times[point][p.arm.Label] = append(c.times[point][p.arm.Label], perToken)
	here := c.expect * time.Duration(rounds-round) / time.Duration(rounds)
	c.at(p, point, speed, c.rest(here))
	return c.keep(rec, c.part, p.arm, c.workload.Name, c.id(p.arm, point))
}

// rates are the time per token and the tokens per second of a sample.
func rates(r *record.Record) (perToken, speed float64) {
	tokens, _ := r.Value("tokens")
	seconds, _ := r.Value("duration")
	return seconds / max(tokens, 1), tokens / max(seconds, 1e-9)
}

// at shows what is measured.
func (c *interleaved) at(p *timedArm, point int, rate float64, left time.Duration) {
	c.progress.At(fmt.Sprintf("%s %s %s %s", c.part.Name, c.workload.Name, p.arm.Label, c.what(point)), rate, left)
}

// tellCuts records which points are left out for time.
func (c *interleaved) tellCuts(asked []int) {
	for _, point := range asked {
		if !slices.Contains(c.points, point) {
			c.cut(c.timedGroup, "%s left out", c.what(point))
		}
	}
}

// noise raises the machine's noise floor to what arms that are the same model
// differ by: the placebo of a comparison.
func (c *interleaved) noise() {
	for _, times := range c.times {
		same := map[string][][]float64{}
		for _, p := range c.timed {
			if p.out == nil {
				model := hash(p.arm.Arch, p.arm.Config)
				same[model] = append(same[model], times[p.arm.Label])
			}
		}
		for _, arms := range same {
			if len(arms) < 2 {
				continue
			}
			floor, err := stats.NoiseFloor(arms)
			if have := c.run.Host.NoiseFloor; err == nil && (have == nil || *have < floor) {
				c.run.Host.NoiseFloor = &floor
			}
		}
	}
}

// close ends all processes.
func (c *interleaved) close() {
	for _, p := range c.timed {
		p.close()
	}
}

// close ends the arm's process, if it runs.
func (p *timedArm) close() {
	if p.child != nil {
		p.child.close()
		p.child = nil
	}
}
