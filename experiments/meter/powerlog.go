package meter

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	// maxLog is the size limit of a power log, in bytes: a day of ten samples a
	// second.
	maxLog = 32 << 20
	// maxLine is the length limit of its lines, in bytes.
	maxLine  = 16 << 10
	maxMarks = 1000
	// calendar is the smallest number of seconds that is taken for a Unix time,
	// and not for the time since the start of the log: 1973.
	calendar = 1e8
)

// A PowerLog is the power of a machine over time as another program or an
// instrument logged it.
type PowerLog struct {
	samples []powerSample
	marks   map[string]time.Time
	dated   bool          // its times are those of a calendar
	shift   time.Duration // the clock of the run less that of the log
}

type powerSample struct {
	at    time.Time
	watts float64
}

// ReadPowerLog reads a log in one of three formats:
//
//   - CSV with a time and watts in each line, separated by commas, semicolons or
//     tabs; the time is in seconds since 1970 or since the start of the log, or a
//     date such as 2006-01-02T15:04:05.9Z07:00. A first line may name the columns;
//   - nvidia-smi --query-gpu=timestamp,power.draw --format=csv -lms 100 -i 0;
//   - the text of powermetrics on macOS.
//
// In each, a line "mark NAME" says that the run passed that mark between the
// samples before and after it.
func ReadPowerLog(r io.Reader) (*PowerLog, error) {
	l := &PowerLog{marks: map[string]time.Time{}}
	p := logParser{log: l}
	limited := &io.LimitedReader{R: r, N: maxLog + 1}
	lines := bufio.NewScanner(limited)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		if err := p.line(strings.TrimSpace(lines.Text())); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, fmt.Errorf("line %d is longer than %d bytes", n+1, maxLine)
	case err != nil:
		return nil, err
	case limited.N == 0:
		return nil, fmt.Errorf("the log is larger than %s", Size(maxLog))
	}
	if err := p.end(); err != nil {
		return nil, err
	}
	if len(l.samples) < 2 {
		return nil, fmt.Errorf("%d samples of a power, at least 2 are needed: known are CSV of time and watts, nvidia-smi and powermetrics", len(l.samples))
	}
	return l, nil
}

// A logParser reads a log line by line.
type logParser struct {
	log     *PowerLog
	pending []string // marks since the last sample
	columns bool     // the first line of a CSV was seen
	block   block    // of powermetrics
}

func (p *logParser) line(s string) error {
	switch name, isMark := strings.CutPrefix(s, "mark "); {
	case isMark:
		return p.mark(strings.TrimSpace(name))
	case strings.HasPrefix(s, "*** Sampled system activity"):
		return p.activity(s)
	case p.block.started:
		return p.block.line(s)
	case s == "" || strings.HasPrefix(s, "#") || !strings.ContainsAny(s, ",;\t"):
		return nil
	}
	return p.row(s)
}

func (p *logParser) mark(name string) error {
	if len(p.log.marks)+len(p.pending)+len(p.block.marks) >= maxMarks {
		return fmt.Errorf("more than %d marks", maxMarks)
	}
	_, known := p.log.marks[name]
	if name == "" || known || slices.Contains(p.pending, name) || slices.Contains(p.block.marks, name) {
		return fmt.Errorf("mark %.40q has no name or one that an earlier mark has", name)
	}
	if p.block.started {
		p.block.marks = append(p.block.marks, name)
	} else {
		p.pending = append(p.pending, name)
	}
	return nil
}

// row reads a line of a CSV.
func (p *logParser) row(s string) error {
	f := strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ';' || r == '\t' })
	if len(f) < 2 {
		return fmt.Errorf("%.40q is not a time and a power", s)
	}
	at, dated, err := parseTime(strings.TrimSpace(f[0]))
	first := !p.columns
	p.columns = true
	if err != nil && first {
		return nil // the names of the columns
	}
	if err != nil {
		return err
	}
	power := strings.TrimSuffix(strings.TrimSpace(f[1]), " W")
	watts, err := strconv.ParseFloat(power, 64)
	if err != nil {
		return fmt.Errorf("%.40q is not a power in watts", power)
	}
	return p.sample(at, dated, watts)
}

// sample adds a sample.
func (p *logParser) sample(at time.Time, dated bool, watts float64) error {
	l := p.log
	n := len(l.samples)
	switch {
	case !(watts >= 0 && watts <= maxMachineWatts):
		return fmt.Errorf("%g W is not between 0 and %d W", watts, maxMachineWatts)
	case n > 0 && dated != l.dated:
		return errors.New("dates and seconds since the start are mixed")
	case n > 0 && !at.After(l.samples[n-1].at):
		return errors.New("the time does not rise: log one device, such as nvidia-smi -i 0")
	}
	l.dated = dated
	before := at
	if n > 0 {
		before = l.samples[n-1].at
	}
	l.samples = append(l.samples, powerSample{at, watts})
	p.place(before.Add(at.Sub(before) / 2))
	return nil
}

// place gives the pending marks a time.
func (p *logParser) place(at time.Time) {
	for _, name := range p.pending {
		p.log.marks[name] = at
	}
	p.pending = nil
}

func (p *logParser) end() error {
	err := p.flush()
	if n := len(p.log.samples); n > 0 {
		p.place(p.log.samples[n-1].at)
	}
	return err
}

// dates are the formats of times with a date. Those without a zone are local.
var dates = []string{"2006/01/02 15:04:05", time.RFC3339, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02 15:04:05"}

// parseTime reads seconds, or a date with any fraction of a second.
func parseTime(s string) (at time.Time, dated bool, err error) {
	if x, err := strconv.ParseFloat(s, 64); err == nil {
		if !(x >= 0 && x < 1e11) {
			return at, false, fmt.Errorf("%.40q is not a time in seconds", s)
		}
		whole, part := math.Modf(x)
		return time.Unix(int64(whole), int64(part*1e9)), x >= calendar, nil
	}
	for _, layout := range dates {
		if at, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return at, true, nil
		}
	}
	return at, false, fmt.Errorf("%.40q is not a time", s)
}

// A block is one sample of powermetrics: the mean power of an interval.
type block struct {
	started bool
	end     time.Time
	elapsed time.Duration
	watts   float64
	rank    int      // of the line with the power, 0: none yet
	marks   []string // after its interval
}

var (
	activityLine = regexp.MustCompile(`^\*\*\* Sampled system activity \((.{1,64})\) \((\d{1,9}(?:\.\d{1,9})?)ms elapsed\) \*\*\*$`)
	powerLine    = regexp.MustCompile(`^([A-Za-z ]{1,60})(?: \([^)]{0,60}\))?: (\d{1,12}(?:\.\d{1,12})?) ?(m?W)$`)
	// powerRanks are the lines with a power, the most comprehensive last.
	powerRanks = []string{"", "CPU Power", "Package Power", "Intel energy model derived package power", "Combined Power"}
)

// activity ends a block and begins the next. The stamp is in whole seconds: the
// end of a block is that of the last plus the time that elapsed, unless the
// machine slept.
func (p *logParser) activity(s string) error {
	m := activityLine.FindStringSubmatch(s)
	if m == nil {
		return fmt.Errorf("%.80q is not the beginning of a sample of powermetrics", s)
	}
	stamp, err := time.Parse("Mon Jan _2 15:04:05 2006 -0700", m[1])
	if err != nil {
		return fmt.Errorf("%.40q is not a time", m[1])
	}
	ms, _ := strconv.ParseFloat(m[2], 64) // the expression matches numbers only
	last := p.block
	if err := p.flush(); err != nil {
		return err
	}
	p.block = block{started: true, end: stamp, elapsed: time.Duration(ms * 1e6)}
	if end := last.end.Add(p.block.elapsed); last.started && end.Sub(stamp).Abs() < maxGap {
		p.block.end = end
	}
	return nil
}

// line reads a line of a block.
func (b *block) line(s string) error {
	m := powerLine.FindStringSubmatch(s)
	if m == nil {
		return nil
	}
	rank := slices.Index(powerRanks, m[1])
	if rank <= b.rank {
		return nil
	}
	w, err := strconv.ParseFloat(m[2], 64)
	if m[3] == "mW" {
		w /= 1000
	}
	b.watts, b.rank = w, rank
	return err
}

// flush adds the sample of the block in the middle of its interval.
func (p *logParser) flush() error {
	b := p.block
	defer func() { p.pending = append(p.pending, b.marks...) }()
	if !b.started || b.rank == 0 {
		return nil
	}
	return p.sample(b.end.Add(-b.elapsed/2), true, b.watts)
}

// Align sets the clock of the log by marks that the run passed at these times of
// its own clock. Without a mark in common the clocks are taken to be the same,
// which a log without dates cannot be.
func (l *PowerLog) Align(marks map[string]time.Time) error {
	var shifts []time.Duration
	for name, at := range l.marks {
		if run, ok := marks[name]; ok {
			shifts = append(shifts, run.Sub(at))
		}
	}
	if len(shifts) == 0 {
		if !l.dated {
			return errors.New("the times of the log are not dates, and it holds no mark of the run")
		}
		return nil
	}
	slices.Sort(shifts)
	if spread := shifts[len(shifts)-1] - shifts[0]; spread > maxGap {
		return fmt.Errorf("the clocks of the run and the log cannot be aligned: their marks differ by %v", spread.Round(time.Millisecond))
	}
	l.shift = shifts[len(shifts)/2]
	return nil
}

// Joules returns the energy of a window of the run: the power interpolated
// between samples.
func (l *PowerLog) Joules(from, to time.Time) (float64, error) {
	if to.Sub(from) < minSampled {
		return 0, fmt.Errorf("a window of %v is shorter than the %v that a sampled power needs", to.Sub(from).Round(time.Millisecond), minSampled)
	}
	from, to = from.Add(-l.shift), to.Add(-l.shift)
	s := l.samples
	if from.Before(s[0].at) || to.After(s[len(s)-1].at) {
		return 0, errors.New("the window is not within the log")
	}
	i, _ := slices.BinarySearchFunc(s, from, func(x powerSample, t time.Time) int { return x.at.Compare(t) })
	var joules float64
	for i = max(i, 1); i < len(s) && s[i-1].at.Before(to); i++ {
		a, b := s[i-1], s[i]
		length := b.at.Sub(a.at)
		if length > maxGap {
			return 0, fmt.Errorf("%v passed between two samples of the log, more than %v", length.Round(time.Millisecond), maxGap)
		}
		first, last := max(0, from.Sub(a.at)), min(length, to.Sub(a.at))
		watts := func(d time.Duration) float64 { return a.watts + (b.watts-a.watts)*float64(d)/float64(length) }
		joules += (watts(first) + watts(last)) / 2 * (last - first).Seconds()
	}
	return joules, nil
}
