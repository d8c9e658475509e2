package archtest

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// examples draws n examples by the rules of m.
func (m mqar) examples(n int, seed uint64) (inputs, labels []int64) {
	r := rand.New(rand.NewPCG(seed, 0))
	for range n {
		x, y := make([]int64, m.T), make([]int64, m.T)
		for t := range y {
			y[t] = ignored
			if m.Random {
				x[t] = r.Int64N(int64(m.Vocab))
			}
		}
		keys, values := r.Perm(m.Vocab/2-1), r.Perm(m.Vocab-m.Vocab/2)
		for i := range m.Pairs {
			for pass := range max(1, m.Passes) {
				x[2*(pass*m.Pairs+i)], x[2*(pass*m.Pairs+i)+1] = int64(keys[i]+1), int64(values[i]+m.Vocab/2)
			}
		}
		left := make([]float64, m.slots())
		for s := range left {
			left[s] = math.Pow(float64(s+1), m.Power-1)
		}
		for i := range m.Pairs {
			sum := 0.0
			for _, w := range left {
				sum += w
			}
			at, u := -1, r.Float64()*sum
			for s, w := range left {
				if w > 0 && u >= 0 {
					at, u = s, u-w
				}
			}
			left[at] = 0
			t := m.context() + 2*at
			x[t], y[t] = int64(keys[i]+1), int64(values[i]+m.Vocab/2)
		}
		inputs, labels = append(inputs, x...), append(labels, y...)
	}
	return inputs, labels
}

func TestMQARRules(t *testing.T) {
	m := mqar{Vocab: 32, T: 24, Examples: 90, Pairs: 3, Passes: 2, Power: 0.1, Random: true}
	inputs, labels := m.examples(m.Examples, 1)
	slots, err := m.follows(inputs, labels)
	if err != nil || len(slots) != m.Examples*m.Pairs {
		t.Fatalf("%d slots, %v", len(slots), err)
	}
	expected := m.frequencies()
	if off := m.zScore(slots, expected); off > maxZScore {
		t.Errorf("slots by the power law are %.1f standard deviations off", off)
	}
	even := m
	even.Power = 1
	x, y := even.examples(m.Examples, 1)
	if slots, err = m.follows(x, y); err != nil || m.zScore(slots, expected) < maxZScore {
		t.Errorf("slots that are all alike pass for a power law: %v", err)
	}
	query := slices.IndexFunc(labels, func(l int64) bool { return l != ignored })
	idle, free := query+1, m.context() // free: a slot of the first row without a query
	for labels[free] != ignored {
		free += 2
	}
	for _, c := range []struct {
		want   string
		change func(x, y []int64)
	}{
		{"key 0 is 16: from 1 to 15", func(x, y []int64) { x[0] = 16 }},
		{"key 1 is 0", func(x, y []int64) { x[2] = 0 }},
		{"value 0 is 15: from 16 to 31", func(x, y []int64) { x[1] = 15 }},
		{"value 0 is 32", func(x, y []int64) { x[1] = 32 }},
		{"occurs twice", func(x, y []int64) { x[2] = x[0] }},
		{"value 1, ", func(x, y []int64) { x[3] = x[1] }},
		{"does not repeat the pairs", func(x, y []int64) { x[7] = x[9] }},
		{"position 4 has the label 20", func(x, y []int64) { y[4] = 20 }},
		{"has the label 20: every second one", func(x, y []int64) { y[idle] = 20 }},
		{"keys are asked for", func(x, y []int64) { y[query] = ignored }},
		{"whose value is", func(x, y []int64) { y[query] = 16 + (y[query]-15)%16 }},
		{"again", func(x, y []int64) { x[free], y[free] = x[query], y[query] }},
		{"is no key here", func(x, y []int64) { x[query] = 31 }},
		{"holds 32", func(x, y []int64) { x[idle] = 32 }},
		{"standard deviations off", func(x, y []int64) {
			for i := range x {
				if i%m.T >= m.context() && y[i] == ignored {
					x[i] = 0
				}
			}
		}},
	} {
		x, y := slices.Clone(inputs), slices.Clone(labels)
		c.change(x, y)
		if _, err := m.follows(x, y); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	m.Random = false
	if _, err := m.follows(inputs, labels); err == nil || !strings.Contains(err.Error(), "where nothing is asked") {
		t.Errorf("random tokens where zeros belong: %v", err)
	}
	for _, m := range []mqar{{}, {Vocab: 10, T: 4, Pairs: 1, Passes: 3}, {Vocab: 10, T: 1 << 40, Pairs: 1}} {
		if _, err := m.follows(nil, nil); err == nil {
			t.Errorf("%+v passes", m)
		}
	}
}

// npy is a NumPy file of int64.
func npy(shape string, data []int64) []byte {
	header := fmt.Sprintf("{'descr': '<i8', 'fortran_order': False, 'shape': %s, }", shape)
	header += strings.Repeat(" ", 63-(len(header)+10)%64) + "\n"
	b := append([]byte("\x93NUMPY\x01\x00"), byte(len(header)), byte(len(header)>>8))
	b = append(b, header...)
	for _, x := range data {
		b = binary.LittleEndian.AppendUint64(b, uint64(x))
	}
	return b
}

// TestGoldenMQAR checks that a generated case passes, and fails where an array
// or a stated statistic is changed.
func TestGoldenMQAR(t *testing.T) {
	m := mqar{Vocab: 20, T: 16, Examples: 12, Pairs: 2, Passes: 1, Power: 0.01}
	inputs, labels := m.examples(m.Examples, 3)
	run := func(rules mqar, x, y []int64, more string) Result {
		dir := t.TempDir()
		b, err := json.Marshal(rules)
		if err != nil {
			t.Fatal(err)
		}
		for name, data := range map[string][]byte{
			"case.json":      fmt.Appendf(nil, `{"configs":[{"config":"own",%s%s]}`, b[1:len(b)-1], more),
			"inputs_own.npy": npy("(12, 16)", x), "labels_own.npy": npy("(12, 16)", y),
		} {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if Kind(dir) != "mqar" {
			t.Fatalf("the case is of kind %q", Kind(dir))
		}
		results, err := Golden(dir, Options{Impl: "generic"})
		if err != nil {
			t.Fatal(err)
		}
		return results[0]
	}
	if r := run(m, inputs, labels, "}"); !r.Pass {
		t.Error(r.Error)
	}
	wrong := slices.Clone(labels)
	wrong[slices.IndexFunc(wrong, func(l int64) bool { return l != ignored })] = 12345
	other := m
	other.Vocab = 40
	for what, r := range map[string]Result{
		"a wrong label":      run(m, inputs, wrong, "}"),
		"another vocabulary": run(other, inputs, labels, "}"),
		"a wrong mean":       run(m, inputs, labels, `,"mean_gap_slot":0.1}`),
		"wrong chances":      run(m, inputs, labels, `,"slot_query_probability_4000_examples":[0,0,0,0,0,1]}`),
		"a missing array":    run(m, inputs, labels, `},{"config":"more"}`),
	} {
		if r.Pass {
			t.Errorf("%s passes", what)
		}
	}
}

func TestNPY(t *testing.T) {
	whole := npy("(2, 3)", []int64{1, -2, 3, 4, 5, 1 << 40})
	shape, data, err := parseNPY(whole)
	if err != nil || !slices.Equal(shape, []int{2, 3}) || !slices.Equal(data, []int64{1, -2, 3, 4, 5, 1 << 40}) {
		t.Errorf("%v %v %v", shape, data, err)
	}
	swapped := func(a, b string) []byte { return []byte(strings.Replace(string(whole), a, b, 1)) }
	for _, c := range []struct {
		b    []byte
		want string
	}{
		{whole[:9], "cut short"},
		{whole[:20], "the header has"},
		{whole[:len(whole)-8], "40 bytes of elements"},
		{whole[:len(whole)-1], "47 bytes of elements"},
		{swapped("(2, 3)", "(2, 4)"), "48 bytes of elements"},
		{swapped("(2, 3)", "(2,-3)"), "is not a dictionary"},
		{swapped("(2, 3)", "(2, x)"), "is not a dictionary"},
		{swapped("(2, 3)", "(2, 3 "), "is not a dictionary"},
		{swapped("<i8", ">i8"), "elements of type"},
		{swapped("<i8", "<f8"), "elements of type"},
		{swapped("False", "True "), "fortran_order"},
		{swapped("'shape'", "'shave'"), "unknown key"},
		{swapped("'fortran_order': False", "'descr':        '<i8'"), "a key belongs"},
		{swapped("\x01\x00", "\x09\x00"), "version 9.0"},
		{npy("(4294967296, 4294967296, 4294967296)", nil), "is not a dictionary"},
		{npy("(65536, 65536, 65536, 65536)", nil), "0 bytes of elements"},
	} {
		if _, _, err := parseNPY(c.b); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %q", err, c.want)
		}
	}
	if shape, data, err = parseNPY(npy("(0, 5)", nil)); err != nil || len(data) != 0 || len(shape) != 2 {
		t.Errorf("an empty array: %v %v", shape, err)
	}
	if shape, _, err = parseNPY(npy("()", []int64{7})); err != nil || len(shape) != 0 {
		t.Errorf("a number: %v %v", shape, err)
	}
}

func FuzzNPY(f *testing.F) {
	f.Add(npy("(2, 3)", []int64{1, -2, 3, 4, 5, 6}))
	f.Add([]byte("\x93NUMPY\x02\x00\x3a\x00\x00\x00{\"shape\":(3,),'fortran_order':False,'descr':'|u1',}         \nabc"))
	f.Add([]byte("\x93NUMPY\x03\x00\x3a\x00\x00\x00{'shape': (1, 1), 'fortran_order': False, 'descr': '<i2'}\nab"))
	if data := Shared(); data != "" {
		if b, err := os.ReadFile(filepath.Join(data, "golden", "mqar", "inputs_a.npy")); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		shape, data, err := parseNPY(b)
		if err != nil {
			if len(err.Error()) > 500 {
				t.Fatalf("a long error: %v", err)
			}
			return
		}
		if !fills(shape, len(data)) || len(data) > len(b) {
			t.Fatalf("shape %v of %d elements in %d bytes", shape, len(data), len(b))
		}
		m := mqar{Vocab: 20, T: 2, Pairs: 1, Random: true}
		_, _ = m.follows(data, data)
	})
}
