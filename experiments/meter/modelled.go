package meter

import (
	"cmp"
	"fmt"

	"workbench/experiments/record"
)

// Picojoules of a 7 nm process. Source: Jouppi et al., Ten Lessons From Three
// Generations Shaped Google's TPUv4i, ISCA 2021, table 2: a float32 addition
// takes 0.38 and a multiplication 1.31, 64 bits from 1 MB of SRAM 14 and from
// DDR memory 1300. At 45 nm arithmetic takes two to three times as much:
// Horowitz, Computing's Energy Problem, ISSCC 2014.
const (
	pjOperation = (0.38 + 1.31) / 2 // of a matrix product: half of them are additions
	pjCacheByte = 14.0 / 8
	pjDRAMByte  = 1300.0 / 8
)

var (
	modelledPerToken = record.Define(record.Quantity{Name: "joules_per_token_modelled", Title: "energy per token, modelled from operations and bytes: a floor", Unit: "J/token", Kind: record.Estimated, Better: record.Lower})
	modelledPart     = record.Define(record.Quantity{Name: "joules_per_token_modelled:", Title: "energy per token, modelled, of ", Unit: "J/token", Kind: record.Estimated, Better: record.Lower})
)

func init() {
	Register("modelled", 20, func() Meter {
		caches := here().caches()
		return modelled{cache: cmp.Or(caches["L3"], caches["L2"])}
	}, modelledPerToken, modelledPart)
}

// modelled is a model of energy: counted operations and bytes times published
// energies. It is a floor, as it leaves out what moves, schedules and waits.
type modelled struct {
	cache int64 // bytes of the last-level cache, 0 where they are unknown
}

// Begin implements Around.
func (modelled) Begin() {}

// End implements Around.
func (m modelled) End(w Work) (out Reading) {
	if w.Operations <= 0 || w.Tokens <= 0 {
		return out
	}
	share := m.missed(w.Weights)
	arithmetic := w.Operations * pjOperation
	memory := w.Bytes * (share*pjDRAMByte + (1-share)*pjCacheByte)
	source := fmt.Sprintf("%.3g pJ an operation, %.3g pJ a byte from the cache, %.3g pJ from memory (Jouppi et al. 2021, 7 nm), %.0f %% of the bytes from memory",
		pjOperation, pjCacheByte, pjDRAMByte, 100*share)
	add := func(q record.Quantity, pj float64) {
		v := q.Of(pj * 1e-12 / float64(w.Tokens))
		v.Source, v.Reason = source, "a floor: a processor takes ten to a thousand times the energy of its arithmetic"
		if m.cache == 0 {
			v.Reason += "; the size of the cache is unknown, and everything is taken to be in it"
		}
		out.Values = append(out.Values, v)
	}
	add(modelledPerToken, arithmetic+memory)
	add(modelledOf("arithmetic"), arithmetic)
	add(modelledOf("memory"), memory)
	return out
}

// modelledOf is the quantity of a part.
func modelledOf(part string) record.Quantity {
	q := modelledPart
	q.Name, q.Title = q.Name+part, q.Title+part
	return q
}

// missed is the smallest part of the bytes that comes from memory: a pass over
// the weights finds at most as many of them in the cache as fit into it.
func (m modelled) missed(weights int64) float64 {
	if m.cache == 0 || weights <= m.cache {
		return 0
	}
	return 1 - float64(m.cache)/float64(weights)
}
