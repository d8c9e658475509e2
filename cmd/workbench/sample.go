package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"workbench/kernels"
)

// sampling says how tokens are drawn.
type sampling struct {
	temperature, topP           float64
	topK                        int
	repeat                      float64
	presence, frequency, forget float64
}

func (s *sampling) declare(fs *flag.FlagSet) {
	fs.Float64Var(&s.temperature, "temperature", 1, "`T` that logits are divided by; 0 takes the likeliest token")
	fs.Float64Var(&s.topP, "top-p", 1, "sample among the likeliest tokens that make up this `SHARE`")
	fs.IntVar(&s.topK, "top-k", 0, "sample among the `N` likeliest tokens, 0: all")
	fs.Float64Var(&s.repeat, "repeat-penalty", 1, "`X` that the logits above 0 of tokens seen before are divided by, those below multiplied")
	fs.Float64Var(&s.presence, "presence-penalty", 0, "`X` taken from the logits of tokens sampled before")
	fs.Float64Var(&s.frequency, "frequency-penalty", 0, "`X` taken for each time, which count less and less")
	fs.Float64Var(&s.forget, "penalty-decay", 0.996, "`SHARE` of such a count that is left after every token")
}

func (s *sampling) check() error {
	switch {
	case !(s.temperature >= 0) || !(s.topP > 0 && s.topP <= 1) || s.topK < 0 || math.IsInf(s.temperature, 0):
		return errors.New("--temperature must be at least 0, --top-p above 0 and at most 1, --top-k at least 0")
	case !(s.repeat >= 0.01 && s.repeat <= 100) || !(math.Abs(s.presence) <= 1000) || !(math.Abs(s.frequency) <= 1000):
		return errors.New("--repeat-penalty must be from 0.01 to 100 (1: none), --presence-penalty and --frequency-penalty at most 1000 (0: none)")
	case !(s.forget >= 0 && s.forget <= 1):
		return errors.New("--penalty-decay must be from 0 to 1")
	}
	return nil
}

// sampler draws the tokens of one sequence.
type sampler struct {
	*sampling
	pcg    *rand.PCG
	random *rand.Rand

	seen  []int32           // tokens that were read or drawn, once each
	times map[int32]float32 // of each how often it was drawn, decayed

	p           []float32 // of each token, times some factor
	heap, taken []int32
}

func newSampler(s *sampling, seed uint64, row int) *sampler {
	pcg := rand.NewPCG(seed, uint64(row))
	return &sampler{sampling: s, pcg: pcg, random: rand.New(pcg), times: map[int32]float32{}}
}

// saw notes tokens that were read.
func (s *sampler) saw(ids ...int32) {
	for _, id := range ids {
		if _, ok := s.times[id]; !ok {
			s.times[id] = 0
			s.seen = append(s.seen, id)
		}
	}
}

// next draws a token by its logits, which it changes, and notes it.
func (s *sampler) next(logits []float32) (int32, error) {
	s.penalise(logits)
	if err := finite(logits); err != nil {
		return 0, err
	}
	id := s.draw(logits)
	for _, seen := range s.seen {
		if n := s.times[seen]; n > 0 { // what was drawn once stays present
			s.times[seen] = max(n*float32(s.forget), math.SmallestNonzeroFloat32)
		}
	}
	s.saw(id)
	s.times[id]++
	return id, nil
}

// finite tells which logit is no number.
func finite(logits []float32) error {
	for i, x := range logits {
		if v := float64(x); math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("the logit of token %d is %v: the weights overflow float32", i, v)
		}
	}
	return nil
}

// penalise makes tokens that were seen less likely.
// Sources: Keskar et al., arXiv 1909.05858, 4.1, with the multiplication below
// 0 that Hugging Face added; BlinkDL/ChatRWKV rwkv_pip_package, PIPELINE.generate.
func (s *sampler) penalise(logits []float32) {
	for _, id := range s.seen {
		if int(id) >= len(logits) {
			continue
		}
		x := &logits[id]
		if *x > 0 {
			*x /= float32(s.repeat)
		} else {
			*x *= float32(s.repeat)
		}
		if n := s.times[id]; n > 0 {
			*x -= float32(s.presence) + n*float32(s.frequency)
		}
	}
}

// draw takes a token from softmax(logits/temperature), cut to the topK
// likeliest and of these to as few as make up topP.
func (s *sampler) draw(logits []float32) int32 {
	top := int32(0)
	for i, x := range logits {
		if x > logits[top] {
			top = int32(i)
		}
	}
	if s.temperature == 0 {
		return top
	}
	s.p = slices.Grow(s.p[:0], len(logits))[:len(logits)]
	for i, x := range logits {
		s.p[i] = float32(float64(x-logits[top]) / s.temperature)
	}
	kernels.Exp(s.p, s.p)
	sum, least := 0.0, float32(0)
	for _, p := range s.p {
		sum += float64(p)
	}
	if s.topK == 0 {
		least = float32((1 - s.topP) * sum / float64(len(logits))) // all that are less likely make up less than 1-topP
	}
	s.heap, s.taken = s.heap[:0], s.taken[:0]
	for i, p := range s.p {
		if p >= least {
			s.heap = append(s.heap, int32(i))
		}
	}
	if s.topK == 0 && s.topP == 1 {
		return s.pick(s.heap, sum)
	}
	return s.cut(logits, sum)
}

// cut draws from the likeliest tokens of the heap.
func (s *sampler) cut(logits []float32, sum float64) int32 {
	h := likeliest{logits, s.heap}
	for i := len(h.ids)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
	kept := 0.0
	take := func(most int, share float64) {
		for len(h.ids) > 0 && len(s.taken) < most && kept < share {
			id := h.pop()
			s.taken, kept = append(s.taken, id), kept+float64(s.p[id])
		}
	}
	if s.topK == 0 {
		take(len(logits), s.topP*sum)
		return s.pick(s.taken, kept)
	}
	take(s.topK, math.Inf(1))
	n, share := 0, s.topP*kept
	for kept = 0; n < len(s.taken) && kept < share; n++ {
		kept += float64(s.p[s.taken[n]])
	}
	return s.pick(s.taken[:n], kept)
}

// pick draws one of ids, whose p add up to sum.
func (s *sampler) pick(ids []int32, sum float64) int32 {
	x := s.random.Float64() * sum
	last := len(ids) - 1
	for _, id := range ids[:last] {
		if x -= float64(s.p[id]); x < 0 {
			return id
		}
	}
	return ids[last]
}

// likeliest is a heap of tokens: the highest logit first, then the lowest
// number.
type likeliest struct {
	logits []float32
	ids    []int32
}

func (h *likeliest) before(a, b int32) bool {
	x, y := h.logits[a], h.logits[b]
	return x > y || x == y && a < b
}

// down moves the token at place i to where it belongs.
func (h *likeliest) down(i int) {
	for {
		c := 2*i + 1
		if c >= len(h.ids) {
			return
		}
		if c+1 < len(h.ids) && h.before(h.ids[c+1], h.ids[c]) {
			c++
		}
		if !h.before(h.ids[c], h.ids[i]) {
			return
		}
		h.ids[i], h.ids[c] = h.ids[c], h.ids[i]
		i = c
	}
}

func (h *likeliest) pop() int32 {
	top, last := h.ids[0], len(h.ids)-1
	h.ids[0], h.ids = h.ids[last], h.ids[:last]
	h.down(0)
	return top
}
