package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"workbench/arch"
	"workbench/arch/checkpoint"
	"workbench/arch/nn"
)

// memory is where B sequences stand: all that going on from there depends on.
type memory struct {
	B        int
	state    arch.State
	hidden   *nn.Tensor // [B,1,C] of the last token read; nil: none was
	read     int        // tokens of each sequence
	samplers []*sampler // one a sequence
}

// The keys of a state file's metadata. Its tensors are "state.SLOT", "hidden"
// and, of sequence b, "seen.b" and "times.b".
const (
	stateKey       = "workbench_state"
	stateModelKey  = "model"
	stateArchKey   = "arch"
	stateConfigKey = "config"
	stateSumKey    = "weights_sha256"
	stateBatchKey  = "batch"
	stateReadKey   = "tokens"
	stateRandomKey = "random" // of sequence b: "random.b"
	stateVersion   = "1"
)

// newMemory is that of B sequences that have seen nothing.
func newMemory(m arch.Model, B int, s *sampling, seed uint64) *memory {
	mem := &memory{B: B, state: m.NewState(B)}
	for b := range B {
		mem.samplers = append(mem.samplers, newSampler(s, seed, b))
	}
	return mem
}

// weightsSum names the weights of a model: a hash of their names, shapes and
// values.
func (m *fileModel) weightsSum() string {
	if m.sum != "" {
		return m.sum
	}
	h := sha256.New()
	var row []float32
	var buf []byte
	nn.Walk(m.Model, func(p nn.Param) {
		t := p.Tensor
		fmt.Fprintln(h, p.Name, t.Shape)
		N, K := 1, t.Len()
		if t.Stored != nil {
			N, K = t.Stored.N, t.Stored.K
		} else if len(t.Shape) == 2 {
			N, K = t.Shape[0], t.Shape[1]
		}
		for i := range N {
			x := t.Data[min(i*K, len(t.Data)):min((i+1)*K, len(t.Data))]
			if t.Stored != nil {
				row = slices.Grow(row[:0], K)[:K]
				t.Stored.Row(row, i)
				x = row
			}
			buf = buf[:0]
			for _, v := range x {
				buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
			}
			h.Write(buf)
		}
	})
	m.sum = hex.EncodeToString(h.Sum(nil))
	return m.sum
}

// saveMemory writes a state file.
func saveMemory(path string, m *fileModel, mem *memory) error {
	config, err := json.Marshal(m.config)
	if err != nil {
		return err
	}
	meta := map[string]string{stateKey: stateVersion, stateModelKey: filepath.Base(m.path), stateArchKey: m.weights.Arch, stateConfigKey: string(config),
		stateSumKey: m.weightsSum(), stateBatchKey: strconv.Itoa(mem.B), stateReadKey: strconv.Itoa(mem.read)}
	var list checkpoint.Named
	add := func(name string, t *nn.Tensor) { list = append(list, nn.Param{Name: name, Tensor: t}) }
	nn.WalkState(mem.state, func(name string, t *nn.Tensor) {
		add("state."+name, &nn.Tensor{Shape: t.Shape, Data: t.Floats()})
	})
	if mem.hidden != nil {
		add("hidden", mem.hidden)
	}
	for b, s := range mem.samplers {
		row := strconv.Itoa(b)
		random, err := s.pcg.MarshalBinary()
		if err != nil {
			return err
		}
		meta[stateRandomKey+"."+row] = base64.StdEncoding.EncodeToString(random)
		seen, times := nn.New(len(s.seen)), nn.New(len(s.seen))
		for i, id := range s.seen {
			seen.Data[i], times.Data[i] = float32(id), s.times[id] // a token's number is below 2^24
		}
		add("seen."+row, seen)
		add("times."+row, times)
	}
	return checkpoint.Save(path, list, meta)
}

// stateFile is an open state file.
type stateFile struct {
	*checkpoint.File
	path  string
	used  int // tensors that were taken
	vocab int // of the model
}

// loadMemory reads a state file of the model m, written by saveMemory: it is
// hostile until every name, shape and value has been checked.
func loadMemory(path string, m *fileModel, s *sampling) (*memory, error) {
	f, err := checkpoint.OpenTensors(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	mem, err := (&stateFile{File: f, path: path}).memory(m, s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return mem, nil
}

func (f *stateFile) memory(m *fileModel, s *sampling) (*memory, error) {
	if err := f.belongs(m); err != nil {
		return nil, err
	}
	B, err := f.number(stateBatchKey, 1, 1<<16)
	if err != nil {
		return nil, err
	}
	if err := f.holds(B, m.NewState(1)); err != nil {
		return nil, err
	}
	read, err := f.number(stateReadKey, 0, 1<<40)
	if err != nil {
		return nil, err
	}
	if limit := arch.Context(m.Model); limit > 0 && read > limit {
		return nil, fmt.Errorf("%d tokens are more than the model's %d positions", read, limit)
	}
	mem := newMemory(m.Model, B, s, 0)
	mem.read, f.vocab = read, m.Vocab()
	if err := f.slots(mem); err != nil {
		return nil, err
	}
	if read > 0 {
		if err := f.lastHidden(m, mem); err != nil {
			return nil, err
		}
	}
	for b, s := range mem.samplers {
		if err := f.sampler(s, strconv.Itoa(b), m.Vocab()); err != nil {
			return nil, err
		}
	}
	if n := len(f.Names()); n != f.used {
		return nil, fmt.Errorf("%d tensors, a state of this model has %d", n, f.used)
	}
	return mem, nil
}

// belongs tells whether the state is one of m.
func (f *stateFile) belongs(m *fileModel) error {
	said := f.Metadata
	switch {
	case said[stateKey] == "":
		return errors.New("not a saved state: give a file that --state-out wrote")
	case said[stateKey] != stateVersion:
		return fmt.Errorf("a state in version %.20q, this program reads version %s", said[stateKey], stateVersion)
	}
	why := ""
	config, err := json.Marshal(m.config)
	switch {
	case err != nil:
		return err
	case said[stateArchKey] != m.weights.Arch:
		why = "its architecture is " + clip(said[stateArchKey]) + ", not " + m.weights.Arch
	case said[stateConfigKey] != string(config):
		why = "its configuration differs"
	case said[stateSumKey] != m.weightsSum():
		why = "its weights differ"
	default:
		return nil
	}
	return fmt.Errorf("a state of another model, %s, and not of %s: %s", clip(said[stateModelKey]), m.path, why)
}

// clip keeps what a file says short.
func clip(s string) string { return fmt.Sprintf("%.80q", s) }

func (f *stateFile) number(key string, lo, hi int) (int, error) {
	n, err := strconv.Atoi(f.Metadata[key])
	if err != nil || n < lo || n > hi {
		return 0, fmt.Errorf("metadata %q is %s: a whole number from %d to %d belongs there", key, clip(f.Metadata[key]), lo, hi)
	}
	return n, nil
}

// holds tells whether the file is large enough for B states like one, before
// memory is taken for them.
func (f *stateFile) holds(B int, one arch.State) error {
	total := 0
	for _, t := range f.Tensors() {
		n := 1
		for _, d := range t.Shape {
			n *= d
		}
		total += n
	}
	if need := B * int(arch.StateBytes(one)/4); need > total {
		return fmt.Errorf("%d sequences need %d numbers, the file has %d", B, need, total)
	}
	return nil
}

// take reads a tensor whose shape must be want, a dimension of -1 being free.
func (f *stateFile) take(name string, want ...int) ([]float32, []int, error) {
	shape := f.Shape(name)
	if !slices.Contains(f.Names(), name) {
		return nil, nil, fmt.Errorf("tensor %q is missing", name)
	}
	same := len(shape) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = want[i] == shape[i] || want[i] < 0
	}
	if !same {
		return nil, nil, fmt.Errorf("tensor %q has shape %v and the model wants %s", name, shape[:min(len(shape), 8)], strings.ReplaceAll(fmt.Sprint(want), "-1", "any"))
	}
	x, err := f.Float32(name)
	if err != nil {
		return nil, nil, err
	}
	for i, v := range x {
		if v := float64(v); math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, nil, fmt.Errorf("tensor %q holds %v at place %d", name, v, i)
		}
	}
	f.used++
	return x, shape, nil
}

// slots fills the state. A dimension that is 0 at first is that of positions,
// and the same everywhere.
func (f *stateFile) slots(mem *memory) (err error) {
	positions := -1
	nn.WalkState(mem.state, func(name string, t *nn.Tensor) {
		if err != nil {
			return
		}
		name = "state." + name
		want := slices.Clone(t.Shape)
		for i, d := range want {
			if d == 0 {
				want[i] = positions
			}
		}
		x, shape, e := f.take(name, want...)
		if e != nil {
			err = e
			return
		}
		for i, d := range t.Shape {
			if d == 0 {
				positions = shape[i]
			}
		}
		if positions > mem.read {
			err = fmt.Errorf("tensor %q has %d positions after %d tokens", name, positions, mem.read)
			return
		}
		if strings.HasSuffix(name, ".seen") && (len(x) != 2 || x[0] != float32(mem.read%seenUnit) || x[1] != float32(mem.read/seenUnit)) {
			err = fmt.Errorf("tensor %q is %v after %d tokens", name, x, mem.read)
			return
		}
		if name == "state.tokens" {
			if err = ids(x, f.vocab); err != nil {
				err = fmt.Errorf("tensor %q: %w", name, err)
				return
			}
		}
		t.SetFloats(x, shape)
		if !slices.Equal(t.Floats(), x) {
			err = fmt.Errorf("tensor %q holds what is no %s", name, t.Type())
		}
	})
	return err
}

// ids tells whether x are tokens.
func ids(x []float32, vocab int) error {
	for i, v := range x {
		if v != float32(int32(v)) || v < 0 || int(v) >= vocab {
			return fmt.Errorf("%v at place %d is no token of %d", v, i, vocab)
		}
	}
	return nil
}

// seenUnit splits the positions that nn.KVCache has seen.
const seenUnit = 1 << 20

// lastHidden fills the vectors of the last token.
func (f *stateFile) lastHidden(m *fileModel, mem *memory) error {
	x, shape, err := f.take("hidden", mem.B, 1, m.Channels())
	if err == nil {
		mem.hidden = &nn.Tensor{Shape: shape, Data: x}
	}
	return err
}

// sampler fills what is known of sequence row's tokens.
func (f *stateFile) sampler(s *sampler, row string, vocab int) error {
	random, err := base64.StdEncoding.DecodeString(f.Metadata[stateRandomKey+"."+row])
	if err == nil {
		err = s.pcg.UnmarshalBinary(random)
	}
	if again, e := s.pcg.MarshalBinary(); err != nil || e != nil || !bytes.Equal(again, random) {
		return fmt.Errorf("metadata %q is no state of the random numbers", stateRandomKey+"."+row)
	}
	seen, shape, err := f.take("seen."+row, -1)
	if err != nil {
		return err
	}
	times, _, err := f.take("times."+row, shape[0])
	if err != nil {
		return err
	}
	for i, x := range seen {
		id := int32(x)
		if _, twice := s.times[id]; twice || float32(id) != x || id < 0 || int(id) >= vocab || times[i] < 0 {
			return fmt.Errorf("tensor %q: token %v, drawn %v times, is none of %d or occurs twice", "seen."+row, x, times[i], vocab)
		}
		s.saw(id)
		s.times[id] = times[i]
	}
	return nil
}

// spread is the memory of B sequences that each stand where the one of mem
// does; their random numbers differ.
func (mem *memory) spread(m arch.Model, B int, seed uint64) *memory {
	out := newMemory(m, B, mem.samplers[0].sampling, seed)
	out.read = mem.read
	var one, first []*nn.Tensor
	nn.WalkState(mem.state, func(_ string, t *nn.Tensor) { one = append(one, t) })
	nn.WalkState(m.NewState(1), func(_ string, t *nn.Tensor) { first = append(first, t) })
	i := 0
	nn.WalkState(out.state, func(_ string, t *nn.Tensor) {
		repeat(t, one[i], first[i].Shape, B)
		i++
	})
	if mem.hidden != nil {
		out.hidden = nn.New(B, 1, mem.hidden.Dim(-1))
		repeat(out.hidden, mem.hidden, mem.hidden.Shape, B)
	}
	for _, s := range out.samplers {
		s.saw(mem.samplers[0].seen...)
		for id, n := range mem.samplers[0].times {
			s.times[id] = n
		}
	}
	return out
}

// repeat fills t with B times src along the axis in which t's shape differs
// from that of one sequence; where none does, it is the same for all.
func repeat(t, src *nn.Tensor, one []int, B int) {
	axis := -1
	for i, d := range one {
		if t.Shape[i] != d {
			axis = i
		}
	}
	copies, shape := 1, slices.Clone(src.Shape)
	if axis >= 0 {
		copies, shape[axis] = B, B
	}
	outer := 1
	for i := range max(axis, 0) {
		outer *= src.Shape[i]
	}
	var all []float32
	x := src.Floats()
	n := len(x) / outer
	for o := range outer {
		for range copies {
			all = append(all, x[o*n:(o+1)*n]...)
		}
	}
	t.SetFloats(all, shape)
}
