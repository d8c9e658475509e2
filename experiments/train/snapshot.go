package train

import (
	"encoding/json"
	"fmt"
	"slices"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/nn"
)

// snapshot is everything of a session that does not follow from its plan: the
// weights and their moments, and as metadata where it stands.
type snapshot struct {
	Model arch.Model   `w:"model"`
	M     []*nn.Tensor `w:"m"`
	V     []*nn.Tensor `w:"v"`
	State []*nn.Tensor `w:"state"` // carried along a stream
}

// progress is where a session stands. JSON gives float64 back to the bit.
type progress struct {
	Step     int     `json:"step"`
	SinceSum float64 `json:"since_sum"`
	SinceN   int     `json:"since_n"`
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

// Save writes the session to path, as safetensors, whole or not at all.
func (s *Session) Save(path string) error {
	at, err := json.Marshal(progress{s.Made(), s.since.sum, s.since.n, s.Curve})
	if err != nil {
		return err
	}
	return checkpoint.Save(path, s.snapshot(), map[string]string{"session": string(at)})
}

// Load takes up the session that Save wrote to path: the same plan and text
// then end in the same bytes as if it had never been left. An error leaves the
// session as it was.
func (s *Session) Load(path string) error {
	f, err := checkpoint.OpenTensors(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var at progress
	if err := json.Unmarshal([]byte(f.Metadata["session"]), &at); err != nil {
		return fmt.Errorf("%s: no saved training session: %w", path, err)
	}
	if at.Step < 0 || at.Step > s.Steps || at.SinceN < 0 || len(at.Curve) == 0 {
		return fmt.Errorf("%s: step %d with %d evaluations does not belong to a run of %d steps", path, at.Step, len(at.Curve), s.Steps)
	}
	var data [][]float32
	var to []*nn.Tensor
	names := f.Names()
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
	s.since, s.Curve = mean{at.SinceSum, at.SinceN}, at.Curve
	return nil
}
