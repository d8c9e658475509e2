package nn

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"
)

// allowance is how many elements New may still make; it counts only while
// limiting is held.
var (
	limiting  sync.Mutex
	counting  atomic.Bool
	allowance atomic.Int64
)

// tooLarge is what New panics with.
type tooLarge struct{}

// Limited runs build, which may make tensors of at most limit elements
// altogether: more is an error, before memory is taken for it. It is for a
// model whose configuration comes from a file. No other goroutine may make
// tensors meanwhile.
func Limited(limit int64, build func() error) (err error) {
	limiting.Lock()
	defer limiting.Unlock()
	allowance.Store(limit)
	counting.Store(true)
	defer counting.Store(false)
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(tooLarge); !ok {
				panic(r)
			}
			err = fmt.Errorf("the configuration asks for more than %d weights, and the file does not hold them", limit)
		}
	}()
	return build()
}

// elements is the product of a shape, which New may make.
func elements(shape []int) int {
	n, exact := 1, 1.0
	for _, d := range shape {
		n *= d
		exact *= float64(d)
	}
	if counting.Load() {
		if exact > math.MaxInt64/8 || allowance.Add(-int64(n)) < 0 {
			panic(tooLarge{})
		}
	}
	return n
}
