package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
)

// maxPickle bounds the size of the pickle in a .pth, which holds only names and
// shapes: about 150 bytes a tensor.
const maxPickle = 4 << 20

// storageTypes are torch's classes of storages and their element types.
var storageTypes = map[string]string{
	"DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
	"LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8", "BoolStorage": "BOOL",
}

// storage is an array of elements that tensors are views of.
type storage struct {
	key   string // the entry data/<key>
	dtype string
	len   int
}

// pickled is a tensor of a pickle: a view of a storage.
type pickled struct {
	of      *storage
	offset  int
	shape   []int
	strides []int
}

// unpickle runs the pickle of a torch checkpoint. Its result consists of
// dictionaries, lists, plain values, storages and tensors only.
func unpickle(b []byte) (value any, err error) {
	if err := checkPickle(b); err != nil {
		return nil, err
	}
	// Note: the library panics on some malformed programs, such as a
	// dictionary with a key and no value.
	defer func() {
		if r := recover(); r != nil {
			value, err = nil, fmt.Errorf("malformed: %.200v", r)
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(b))
	u.FindClass = findClass
	u.PersistentLoad = persistent
	if value, err = u.Load(); err != nil {
		return nil, fmt.Errorf("malformed: %.200s", err.Error())
	}
	return value, nil
}

// Arguments of an opcode: a number of bytes, or one of these.
const (
	sized1  = -1 // a one-byte length, then that many bytes
	sized4  = -4 // a four-byte length, then that many bytes
	twoName = -2 // two lines, module and name of a class
)

// opcodes are the opcodes of protocol 2 that torch.save writes.
var opcodes = map[byte]int{
	0x80: 1, '.': 0, '(': 0, '0': 0, 'Q': 0, 'R': 0, 'b': 0, 'c': twoName,
	'}': 0, ']': 0, ')': 0, 't': 0, 0x85: 0, 0x86: 0, 0x87: 0, 's': 0, 'u': 0, 'a': 0, 'e': 0,
	'N': 0, 0x88: 0, 0x89: 0, 'K': 1, 'M': 2, 'J': 4, 0x8a: sized1, 'G': 8, 'X': sized4,
	'q': 1, 'r': 4, 'h': 1, 'j': 4,
}

// checkPickle checks a pickle program without running it: only known opcodes,
// arguments inside the program, only allowed classes.
func checkPickle(b []byte) error {
	short := errors.New("cut short")
	for i := 0; i < len(b); {
		op := b[i]
		n, ok := opcodes[op]
		if !ok {
			return fmt.Errorf("opcode 0x%02x at byte %d is not one that torch.save writes", op, i)
		}
		i++
		rest := b[i:]
		switch n {
		case sized1:
			if len(rest) < 1 {
				return short
			}
			n = 1 + int(rest[0])
		case sized4:
			if len(rest) < 4 {
				return short
			}
			n = 4 + int(binary.LittleEndian.Uint32(rest))
		case twoName:
			module, after, ok1 := bytes.Cut(rest, []byte("\n"))
			name, after, ok2 := bytes.Cut(after, []byte("\n"))
			if !ok1 || !ok2 {
				return short
			}
			if _, err := findClass(string(module), string(name)); err != nil {
				return err
			}
			n = len(rest) - len(after)
		}
		if n > len(rest) {
			return short
		}
		i += n
		if op == '.' {
			if i != len(b) {
				return fmt.Errorf("%d bytes follow its end", len(b)-i)
			}
			return nil
		}
	}
	return short
}

// call wraps a Go function as a Python function.
type call func(args []any) (any, error)

func (c call) Call(args ...any) (any, error) { return c(args) }

// findClass is the list of allowed classes and functions.
func findClass(module, name string) (any, error) {
	switch module {
	case "collections":
		if name == "OrderedDict" {
			return &types.OrderedDictClass{}, nil
		}
	case "torch._utils":
		switch name {
		case "_rebuild_tensor_v2":
			return call(rebuildTensor), nil
		case "_rebuild_parameter":
			return call(rebuildParameter), nil
		}
	case "torch":
		if dtype := storageTypes[name]; dtype != "" {
			return dtype, nil
		}
	}
	return nil, fmt.Errorf("class %.60q of module %.60q is not allowed: re-save the state_dict alone", name, module)
}

// persistent returns the storage of ("storage", class, key, device, length).
func persistent(id any) (any, error) {
	t, ok := id.(*types.Tuple)
	if !ok || t.Len() != 5 {
		return nil, errors.New("unknown persistent id")
	}
	kind, ok0 := t.Get(0).(string)
	dtype, ok1 := t.Get(1).(string)
	key, ok2 := t.Get(2).(string)
	n, ok3 := t.Get(4).(int)
	if !ok0 || !ok1 || !ok2 || !ok3 || kind != "storage" || dtypes[dtype].elems == 0 || n < 0 {
		return nil, errors.New("malformed storage")
	}
	return &storage{key, dtype, n}, nil
}

// rebuildTensor is torch._utils._rebuild_tensor_v2(storage, offset, size,
// stride, requires_grad, backward_hooks[, metadata]).
func rebuildTensor(args []any) (any, error) {
	if len(args) != 6 && len(args) != 7 {
		return nil, fmt.Errorf("_rebuild_tensor_v2 with %d arguments", len(args))
	}
	s, ok0 := args[0].(*storage)
	offset, ok1 := args[1].(int)
	shape, ok2 := intTuple(args[2])
	strides, ok3 := intTuple(args[3])
	if !ok0 || !ok1 || !ok2 || !ok3 || len(shape) != len(strides) {
		return nil, errors.New("_rebuild_tensor_v2 with wrong arguments")
	}
	return newPickled(s, offset, shape, strides)
}

// rebuildParameter is torch._utils._rebuild_parameter(tensor, requires_grad,
// backward_hooks).
func rebuildParameter(args []any) (any, error) {
	if len(args) > 0 {
		if v, ok := args[0].(*pickled); ok {
			return v, nil
		}
	}
	return nil, errors.New("_rebuild_parameter without a tensor")
}

func intTuple(v any) ([]int, bool) {
	t, ok := v.(*types.Tuple)
	if !ok || t.Len() > 8 {
		return nil, false
	}
	list := []int{}
	for _, x := range *t {
		n, ok := x.(int)
		if !ok {
			return nil, false
		}
		list = append(list, n)
	}
	return list, true
}

// newPickled checks that every element lies in the storage, and that the view
// has no more elements than the storage: an expanded view could ask for any
// amount of memory.
func newPickled(s *storage, offset int, shape, strides []int) (*pickled, error) {
	n, err := elements(shape)
	if err != nil {
		return nil, err
	}
	v := &pickled{s, offset, shape, strides}
	if n == 0 {
		v.offset = 0
	} else if n > s.len || !v.inside() {
		return nil, fmt.Errorf("a tensor %v reaches outside its storage of %d elements", shape, s.len)
	}
	return v, nil
}

func (v *pickled) inside() bool {
	last := v.offset
	if last < 0 || last >= v.of.len {
		return false
	}
	for i, d := range v.shape {
		if d == 1 {
			continue
		}
		if v.strides[i] < 0 || v.strides[i] > (v.of.len-1-last)/(d-1) {
			return false
		}
		last += (d - 1) * v.strides[i]
	}
	return true
}
