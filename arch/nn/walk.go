package nn

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Param is one weight of a model.
type Param struct {
	Name   string
	Tensor *Tensor
	// Embed marks an embedding or output head: not counted when models are
	// compared at equal size.
	Embed bool
	// InOut marks a matrix that official files store as [in,out]; ours is
	// [out,in], as Linear takes it.
	InOut bool
	// Vector marks a vector that is stored as [heads, head size]: Store and files
	// of other storage types keep it in float32.
	Vector bool
}

// Walk visits the weights of a model in the order of their declaration: the
// fields of type *Tensor with a tag `w:"name"`, and those of nested structs,
// pointers to structs and slices of them, whose tags are prefixes (a slice
// adds the index). A tag may end in ",embed", ",inout" or ",vector", which set
// those fields of a Param. A nil tensor is an absent part.
func Walk(model any, f func(Param)) {
	walk(reflect.ValueOf(model), "w", "", func(name, opt string, t *Tensor) {
		f(Param{Name: name, Tensor: t, Embed: opt == "embed", InOut: opt == "inout", Vector: opt == "vector"})
	})
}

// WalkState visits the slots of a state in the same way, by the tag `s:"name"`.
func WalkState(state any, f func(name string, t *Tensor)) {
	walk(reflect.ValueOf(state), "s", "", func(name, _ string, t *Tensor) { f(name, t) })
}

var tensorType = reflect.TypeFor[*Tensor]()

func walk(v reflect.Value, key, prefix string, f func(name, opt string, t *Tensor)) {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		if v.IsNil() {
			return
		}
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		panic(fmt.Sprintf("nn: Walk wants a pointer to a struct, got %s", v.Type()))
	}
	for i := range v.NumField() {
		tag, ok := v.Type().Field(i).Tag.Lookup(key)
		if !ok {
			continue
		}
		name, opt, _ := strings.Cut(tag, ",")
		walkField(v.Field(i), key, join(prefix, name), opt, f)
	}
}

func walkField(v reflect.Value, key, name, opt string, f func(name, opt string, t *Tensor)) {
	switch {
	case v.Type() == tensorType:
		if t := (*Tensor)(v.UnsafePointer()); t != nil {
			f(name, opt, t)
		}
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			walkField(v.Index(i), key, join(name, strconv.Itoa(i)), opt, f)
		}
	default:
		walk(v, key, name, f)
	}
}

// join puts a dot between the parts of a name; a name that ends in '_' takes
// an index directly ("weight_ih_l" + "0").
func join(a, b string) string {
	if a == "" || b == "" || strings.HasSuffix(a, "_l") {
		return a + b
	}
	return a + "." + b
}

// ZeroGrad clears the gradients of a model's weights, and allocates those that
// are missing.
func ZeroGrad(model any) {
	Walk(model, func(p Param) {
		switch t := p.Tensor; {
		case t.Const:
		case t.Grad == nil:
			t.Grad = make([]float32, t.Len())
		default:
			clear(t.Grad)
		}
	})
}
