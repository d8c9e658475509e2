package experiments

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"workbench/arch/nn"
	"workbench/experiments/meter"
	"workbench/experiments/record"
)

// A timedArm is one arm of a group, with the process that runs it.
type timedArm struct {
	arm     arm
	child   *child
	folder  string                 // of its processes
	units   map[int]time.Duration  // the work of a point, once
	visited map[int]*record.Record // what was read at the first visit of a point
	bad     map[int]bool           // points that failed
	start   time.Duration          // of a process, until it can take samples
	rss     int64                  // peak after all points were visited
	out     error                  // why it is measured no more
}

// interleaved is a timing group under way.
type interleaved struct {
	*runner
	*timedGroup
	timed   []*timedArm
	repeats map[string]int // by label and point
	begun   time.Time
	limit   time.Duration // for the whole group, 0: none
	expect  time.Duration // for all rounds
}

// timing measures a group. The process start is the unit that is repeated: every
// arm is started once to be visited, and then afresh in every block, with the
// baseline once more as the placebo; in a block the processes take one sample at
// every point in turn, in an order shuffled anew, the others waiting for their
// input. Source: Kalibera & Jones, Rigorous Benchmarking in Reasonable Time,
// ISMM 2013.
func (r *runner) timing(ctx context.Context, g *timedGroup) error {
	c := &interleaved{runner: r, timedGroup: g, repeats: map[string]int{}, begun: r.now(), limit: r.share()}
	defer c.close()
	if err := os.RemoveAll(c.folder()); err != nil { // of a run that was killed
		return err
	}
	defer os.RemoveAll(c.folder())
	for i, a := range g.arms {
		c.timed = append(c.timed, &timedArm{arm: a, folder: filepath.Join(c.folder(), strconv.Itoa(i)), visited: map[int]*record.Record{}, bad: map[int]bool{}})
	}
	asked := slices.Clone(g.points)
	together, err := c.visitAll(ctx)
	if err != nil {
		return err
	}
	rounds := max(g.rounds, r.profile.minRounds)
	c.points = planPoints(c.left(), c.starts(), c.costs(), rounds, g.settings.Climbs())
	c.tellCuts(asked)
	if err := c.planned(rounds); err != nil {
		return err
	}
	for _, cost := range c.costs() {
		c.expect += time.Duration(rounds) * cost.round
	}
	c.expect += time.Duration(rounds) * c.starts()
	for round := range rounds {
		if err := c.block(ctx, round, rounds, together); err != nil {
			return err
		}
	}
	r.spent += r.now().Sub(c.begun)
	return nil
}

// folder is where processes of the group leave states for later ones.
func (c *interleaved) folder() string { return filepath.Join(c.dir, "states") }

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

// memoryMargin is how many times the memory of all processes of a block must be
// free for them to run together. Tests change it.
var memoryMargin = 1.25

// visitAll starts every arm once and visits its points, and tells whether the
// processes of a block fit into memory together.
func (c *interleaved) visitAll(ctx context.Context) (together bool, err error) {
	var sum int64
	for i, p := range c.timed {
		if same := c.sameArm(p); same != nil {
			p.units, p.visited, p.rss, p.start = same.units, same.visited, same.rss, same.start
			p.folder, p.bad, p.out = same.folder, maps.Clone(same.bad), same.out
		} else if err := c.visit(ctx, p, c.left()/time.Duration(2*(len(c.timed)-i))); err != nil {
			return false, err
		}
		p.close()
		sum += p.rss
	}
	free, err := meter.Free()
	return err != nil || float64(free) >= memoryMargin*float64(sum), nil
}

// sameArm is the arm that p, a placebo, is once more.
func (c *interleaved) sameArm(p *timedArm) *timedArm {
	for _, q := range c.timed {
		if p.arm.placebo && q != p && q.arm.Label == c.part.Baseline {
			return q
		}
	}
	return nil
}

// launch starts an arm's process.
func (c *interleaved) launch(ctx context.Context, p *timedArm) error {
	child, err := startChild(c.exe, c.profile.timeout)
	if err != nil {
		return err
	}
	p.child = child
	s := newSpec(p.arm, c.settings)
	s.Seed, s.Threads, s.Tokens, s.Folder = c.run.Seed, c.threads, c.tokens(c.part), p.folder
	_, err = p.child.ask(ctx, request{Op: opStart, Spec: s}, nil)
	return err
}

// visit starts an arm for the first time and visits every point, rising; points
// that would take too long are dropped for all. The error is ctx's or that of
// writing a record.
func (c *interleaved) visit(ctx context.Context, p *timedArm, left time.Duration) error {
	p.units = map[int]time.Duration{}
	if err := c.gate(ctx, c.part, p.arm); err != nil {
		return c.drop(ctx, p, err)
	}
	begun := c.now()
	if err := os.MkdirAll(p.folder, 0o777); err != nil {
		return err
	}
	if err := c.launch(ctx, p); err != nil {
		return c.drop(ctx, p, err)
	}
	p.start = c.now().Sub(begun)
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
			p.units[point], p.visited[point] = time.Duration(answer.UnitNS), answer.Visited
		}
	}
	// Note: this leaves the states of all points for the processes to come.
	answer, err := p.child.ask(ctx, request{Op: opReady, Points: p.reached(c.points)}, nil)
	if err != nil {
		return c.drop(ctx, p, err)
	}
	p.rss = answer.RSS
	return nil
}

// again starts an arm afresh, ready for samples.
func (c *interleaved) again(ctx context.Context, p *timedArm) error {
	if p.out != nil {
		return nil
	}
	begun := c.now()
	err := c.launch(ctx, p)
	if err == nil {
		_, err = p.child.ask(ctx, request{Op: opReady, Points: p.reached(c.points), Visited: p.visited}, nil)
	}
	if err != nil {
		return c.drop(ctx, p, err)
	}
	p.start = c.now().Sub(begun)
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

// costs is what a block takes beside its starts, by point: a warm-up and a sample
// of every arm.
func (c *interleaved) costs() []cost {
	var out []cost
	for _, point := range c.points {
		sum := cost{point: point}
		for _, p := range c.timed {
			if p.out == nil {
				sum.round += p.units[point] + c.takes(p, point)
			}
		}
		out = append(out, sum)
	}
	return out
}

// starts is what starting all processes of a block takes.
func (c *interleaved) starts() (sum time.Duration) {
	for _, p := range c.timed {
		if p.out == nil {
			sum += p.start
		}
	}
	return sum
}

// block starts all arms afresh, in random order, and lets each take one sample at
// every point: the points in random order, at each the arms in random order; or,
// where the processes do not fit into memory together, one arm after the other.
func (c *interleaved) block(ctx context.Context, round, rounds int, together bool) error {
	r := nn.Rand(c.run.Seed, fmt.Sprintf("%s round %d", c.key(), round))
	defer c.close()
	slot := 0
	sample := func(p *timedArm, point int) error {
		slot++
		return c.takeSample(ctx, p, point, round, rounds, slot-1)
	}
	order := r.Perm(len(c.timed))
	for _, j := range order {
		p := c.timed[j]
		if err := c.again(ctx, p); err != nil {
			return err
		}
		if together {
			continue
		}
		for _, i := range r.Perm(len(c.points)) {
			if err := sample(p, c.points[i]); err != nil {
				return err
			}
		}
		p.close()
	}
	if !together {
		return nil
	}
	for _, i := range r.Perm(len(c.points)) {
		for _, j := range r.Perm(len(c.timed)) {
			if err := sample(c.timed[j], c.points[i]); err != nil {
				return err
			}
		}
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
	if p.arm.placebo {
		rec.Keys[record.KeyPlacebo] = true
	}
	here := c.expect * time.Duration(rounds-round) / time.Duration(rounds)
	c.at(p, point, speed(&rec), c.rest(here))
	return c.keep(rec, c.part, p.arm, c.workload.Name, c.id(p.arm, point))
}

// speed is the tokens per second of a sample.
func speed(r *record.Record) float64 {
	tokens, _ := r.Value(meter.Tokens.Name)
	seconds, _ := r.Value(meter.Duration.Name)
	return tokens / max(seconds, 1e-9)
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
