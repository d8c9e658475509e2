package nn

import "reflect"

// operation is what the tape keeps of one: what it read and made.
type operation interface {
	// back adds the gradients of what the operation read, given those of what
	// it made.
	back(g *Graph)
}

// entry is an operation and what it made. Its gradient is not run when nothing
// depends on y; a nil y always has it run.
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

// slab hands out operations of one kind and takes them back all at once, so
// that a step after the first allocates none.
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
