package workload

import (
	"math"
	"strings"
	"testing"

	"workbench/arch"
	"workbench/arch/nn"
	_ "workbench/arch/rnn"
	_ "workbench/arch/rwkv"
	_ "workbench/arch/transformer"
)

// someText is a text in bytes.
var someText = func() (ids []int32) {
	for _, b := range []byte(strings.Repeat("func main() { fmt.Println(1, 2, 3) }\n", 40)) {
		ids = append(ids, int32(b))
	}
	return ids
}()

// tiny is the configuration of a small model.
var tiny = map[string]any{"dim": 8, "layers": 1}

// TestDecodeContinues: what is timed at a depth is the model's function there,
// whatever was sampled before.
func TestDecodeContinues(t *testing.T) {
	m, _, err := arch.New("rwkv4", map[string]any{"dim": 16, "layers": 2}, 1)
	if err != nil {
		t.Fatal(err)
	}
	plan := &Decode{Depth: []int{8, 40}, Tokens: 4, Batch: 1}
	task, err := plan.Start(&Env{Model: m, Tokens: someText})
	if err != nil {
		t.Fatal(err)
	}
	if err := task.Save(plan.Depth); err != nil {
		t.Fatal(err)
	}
	for _, depth := range []int{40, 8, 40} {
		task.Restore(depth)
		if _, err := task.Work(); err != nil {
			t.Fatal(err)
		}
	}
	want := m.NewState(1)
	m.Forward(nn.Inference(), nn.Tokens{IDs: someText[:44], B: 1, T: 44}, want)
	compareStates(t, task.(*decoding).state, want)
}

func compareStates(t *testing.T, got, want arch.State) {
	t.Helper()
	slots := map[string][]float32{}
	nn.WalkState(want, func(name string, x *nn.Tensor) { slots[name] = x.Data })
	nn.WalkState(got, func(name string, x *nn.Tensor) {
		for i, v := range x.Data {
			if math.Abs(float64(v-slots[name][i])) > 1e-5*(1+math.Abs(float64(v))) {
				t.Fatalf("slot %s[%d] is %g, want %g", name, i, v, slots[name][i])
			}
		}
	})
}

// TestRoom: a sample of decoding stays at its depth.
func TestRoom(t *testing.T) {
	d := &Decode{Tokens: 16, Timing: Timing{SampleMS: 1}}
	for depth, want := range map[int]int{0: 2, 64: 2, 1024: 32} {
		if got := d.Most(depth); got != want {
			t.Errorf("depth %d: %d repeats, want %d", depth, got, want)
		}
	}
}
