package nn

import "reflect"

// operation is an operation on the tape, with the tensors that it read and made.
type operation interface {
	// back adds to the gradients of the tensors that the operation read, given
	// the complete gradients of the tensors that it made.
	back(g *Graph)
}

// entry is an operation and its output y. Backward skips the operation where y
// has no gradient, as the loss does not depend on it. It never skips an
// operation with several outputs, whose y is nil.
type entry struct {
	y  *Tensor
	op operation
}

// record puts the operation that made y on the tape.
func record[O any, P interface {
	*O
	operation
}](g *Graph, y *Tensor, op O) {
	key := reflect.TypeFor[O]()
	s, _ := g.slabs[key].(*slab[O])
	if s == nil {
		if g.slabs == nil {
			g.slabs = map[reflect.Type]interface{ reset() }{}
		}
		s = &slab[O]{}
		g.slabs[key] = s
	}
	p := s.next()
	*p = op
	g.tape = append(g.tape, entry{y, P(p)})
	if g.Clock != nil {
		g.Clock.lap(key)
	}
}

// slab allocates operations of one kind and reclaims all of them at once, so
// that steps after the first allocate none.
type slab[O any] struct {
	chunks []*[slabChunk]O
	n      int
}

const slabChunk = 32

func (s *slab[O]) next() *O {
	if s.n == len(s.chunks)*slabChunk {
		s.chunks = append(s.chunks, new([slabChunk]O))
	}
	p := &s.chunks[s.n/slabChunk][s.n%slabChunk]
	s.n++
	return p
}

func (s *slab[O]) reset() { s.n = 0 }
