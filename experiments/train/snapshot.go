package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/nn"
)

// snapshot is the part of a session that does not follow from its plan: the
// weights, their moments and, as metadata, the progress.
type snapshot struct {
	Model arch.Model   `w:"model"`
	M     []*nn.Tensor `w:"m"`
	V     []*nn.Tensor `w:"v"`
	State []*nn.Tensor `w:"state"` // carried along a stream
}

// progress is the position of a session in its plan. JSON preserves float64 to
// the bit.
type progress struct {
	Step     int     `json:"step"`
	Tokens   int     `json:"tokens"`
	SinceSum float64 `json:"since_nats"`
	SinceN   int     `json:"since_tokens"`
	Curve    []Point `json:"curve"`
}

func (s *Session) snapshot() snapshot {
	snap := snapshot{Model: s.Model}
	for _, p := range s.trainer.opt.params {
		shape := []int{len(p.m)}
		snap.M = append(snap.M, &nn.Tensor{Shape: shape, Data: p.m})
		snap.V = append(snap.V, &nn.Tensor{Shape: shape, Data: p.v})
	}
	if s.state != nil {
		nn.WalkState(s.state, func(_ string, t *nn.Tensor) { snap.State = append(snap.State, t) })
	}
	return snap
}

// keepEvery is the shortest time between the earlier checkpoints that Save
// keeps: of checkpoints made faster, losing the last one or two is about the
// same loss.
var keepEvery = time.Second / 4 // less in tests

// Save writes the session to path as safetensors with a checksum, whole or not
// at all. The checkpoint that was there is kept as previousPath(path), at most once
// in keepEvery.
func (s *Session) Save(path string) error {
	at, err := json.Marshal(progress{s.Made(), s.tokens, s.since.sum, s.since.n, s.Curve})
	if err != nil {
		return err
	}
	if s.kept.IsZero() {
		s.kept = time.Now()
	}
	if time.Since(s.kept) >= keepEvery {
		if err := keepPrevious(path); err != nil {
			return err
		}
		s.kept = time.Now()
	}
	err = checkpoint.SaveSummed(path, s.snapshot(), map[string]string{"session": string(at)})
	if _, gone := os.Stat(path); err != nil && gone != nil {
		os.Rename(previousPath(path), path)
	}
	return err
}

// keepPrevious gives the checkpoint at path its second name (hard link), so that
// a whole checkpoint exists at any moment.
func keepPrevious(path string) error {
	os.Remove(previousPath(path))
	err := os.Link(path, previousPath(path))
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a file system without hard links
		err = os.Rename(path, previousPath(path))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// previousPath is the path of the checkpoint before the last Save:
// session.previous.safetensors of session.safetensors.
func previousPath(path string) string {
	ext := filepath.Ext(path)
	return strings.TrimSuffix(path, ext) + ".previous" + ext
}

// Resume continues the session from the checkpoint that Save last wrote to
// path. Where that file is damaged or missing, it uses the one before, which
// then takes its place, and describes this in said. Without either file the
// error is fs.ErrNotExist; without an intact one, it says what is wrong with
// the last.
func (s *Session) Resume(path string) (said string, err error) {
	err = s.load(path)
	if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, checkpoint.ErrDamaged) {
		return "", err
	}
	if earlier := s.load(previousPath(path)); earlier != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return "", earlier
		}
		return "", fmt.Errorf("%w; there is no good checkpoint before it: remove the file to start at step 0", err)
	}
	what := err.Error()
	if errors.Is(err, fs.ErrNotExist) {
		what = path + " is missing"
	}
	return fmt.Sprintf("%s: the checkpoint before it is used, of step %d", what, s.Made()), os.Rename(previousPath(path), path)
}

// load continues the session from the checkpoint at path: the same plan and
// text then end in the same bytes as without an interruption. An error leaves
// the session unchanged; that of a damaged file is checkpoint.ErrDamaged.
func (s *Session) load(path string) error {
	f, err := checkpoint.OpenTensors(path)
	if err == nil {
		defer f.Close()
	}
	// Note: only checkpoints made before there were checksums have since_n in
	// their metadata.
	if err != nil || !strings.Contains(f.Metadata["session"], `"since_n"`) {
		if err := checkpoint.Summed(path); err != nil {
			return err
		}
	}
	if err != nil {
		return err
	}
	var at progress
	if err := json.Unmarshal([]byte(f.Metadata["session"]), &at); err != nil {
		return fmt.Errorf("%s: no saved training session: %w", path, err)
	}
	if at.Step < 0 || at.Step > s.Steps || at.SinceN < 0 || len(at.Curve) == 0 {
		return fmt.Errorf("%s: step %d with %d evaluations does not belong to a run of %d steps", path, at.Step, len(at.Curve), s.Steps)
	}
	var data [][]float32
	var to []*nn.Tensor
	names := slices.DeleteFunc(f.Names(), func(n string) bool { return n == checkpoint.SumTensor })
	nn.Walk(s.snapshot(), func(p nn.Param) {
		if err != nil {
			return
		}
		var x []float32
		if !slices.Contains(names, p.Name) {
			err = fmt.Errorf("%s: tensor %q is missing", path, p.Name)
		} else {
			x, err = f.Weight(p)
		}
		data, to = append(data, x), append(to, p.Tensor)
	})
	if err != nil {
		return err
	}
	if len(to) != len(names) {
		return fmt.Errorf("%s: %d tensors, the model and its moments have %d", path, len(names), len(to))
	}
	for i, t := range to {
		copy(t.Data, data[i])
	}
	s.trainer.step, s.trainer.opt.step = at.Step, at.Step
	s.tokens, s.since, s.Curve = at.Tokens, mean{at.SinceSum, at.SinceN}, at.Curve
	return nil
}
