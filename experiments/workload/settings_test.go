package workload

import (
	"reflect"
	"slices"
	"testing"
)

// numbers are those that a setting holds, itself or in a list; ok tells that it
// is of numbers.
func numbers(x any) (all []int64, ok bool) {
	v := reflect.ValueOf(x)
	switch {
	case v.CanInt():
		return []int64{v.Int()}, true
	case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Int:
		for i := range v.Len() {
			all = append(all, v.Index(i).Int())
		}
		return all, true
	}
	return nil, false
}

// TestOptions: every setting says what it is, every number has bounds, and
// defaults lie within them. A default of 0 is none: Complete gives the number.
func TestOptions(t *testing.T) {
	for _, w := range All() {
		completed := w.Defaults()
		if err := completed.Complete(); err != nil && w.Name != "check" { // whose list has no default
			t.Errorf("%s: the defaults are refused: %v", w.Name, err)
		}
		values := map[string]any{}
		eachField(completed, func(key string, _ reflect.StructField, v reflect.Value) { values[key] = v.Interface() })
		axis := false
		for _, o := range w.Options() {
			if o.Doc == "" {
				t.Errorf("%s.%s has no doc", w.Name, o.Key)
			}
			all, ok := numbers(o.Default)
			if ok != (o.Most > 0) || o.Least > o.Most {
				t.Errorf("%s.%s is bounded by %d and %d, its default is %v", w.Name, o.Key, o.Least, o.Most, o.Default)
			}
			then, _ := numbers(values[o.Key])
			for _, x := range slices.Concat(all, then) {
				if given := x != 0 || slices.Contains(then, 0); given && (x < o.Least || x > o.Most) {
					t.Errorf("%s.%s: the default %d is not between %d and %d", w.Name, o.Key, x, o.Least, o.Most)
				}
			}
			axis = axis || w.Axis != nil && o.Key == w.Axis.Key && len(all) > 0
		}
		if axis != (w.Axis != nil) {
			t.Errorf("%s has no setting %q: the points of its axis", w.Name, w.Axis.Key)
		}
	}
}

// TestMerge: what is given replaces what was, all else stays, and neither side
// changes.
func TestMerge(t *testing.T) {
	base, over := &Decode{Depth: []int{1, 2}, Tokens: 3, Timing: Timing{Rounds: 4, SampleMS: 5}}, &Decode{Depth: []int{9}, Timing: Timing{SampleMS: 6}}
	want := &Decode{Depth: []int{9}, Tokens: 3, Timing: Timing{Rounds: 4, SampleMS: 6}}
	if got := Merge(base, over); !reflect.DeepEqual(got, want) {
		t.Errorf("merged is %+v, want %+v", got, want)
	}
	if base.SampleMS != 5 || over.Tokens != 0 {
		t.Errorf("merging changed %+v or %+v", base, over)
	}
	optional := &Prefill{Tokens: 3, Context: new(4), Cascade: new(true)}
	for _, c := range []struct{ over, want *Prefill }{
		{&Prefill{Tokens: 2}, &Prefill{Tokens: 2, Context: new(4), Cascade: new(true)}},
		{&Prefill{Context: new(0), Cascade: new(false)}, &Prefill{Tokens: 3, Context: new(0), Cascade: new(false)}},
	} {
		if got := Merge(optional, c.over); !reflect.DeepEqual(got, c.want) {
			t.Errorf("merged is %+v, want %+v", got, c.want)
		}
	}
	if got := Merge(base, nil); got != Settings(base) {
		t.Errorf("merged with nothing is %+v", got)
	}
}
