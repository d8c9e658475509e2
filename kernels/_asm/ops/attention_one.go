package ops

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"workbench/kernels/_asm/avx2"
)

// streams returns one vector of each stream at p.
func streams(p, far, far3 reg.GPVirtual) []Mem {
	return []Mem{{Base: p}, {Base: p, Index: far, Scale: 1}, {Base: p, Index: far, Scale: 2}, {Base: p, Index: far3, Scale: 1}}
}

// element is a type of keys and values: suffix ends the names of functions,
// and load returns eight floats for an instruction to read.
type element struct {
	suffix string
	size   int
	load   func(m Mem) Op
}

var (
	float32s  = element{"", 4, func(m Mem) Op { return m }}
	bfloat16s = element{"BF16", 2, func(m Mem) Op {
		v := YMM()
		VPMOVZXWD(m, v)
		VPSLLD(U8(16), v, v)
		return v
	}}
	float16s = element{"F16", 2, func(m Mem) Op {
		v := YMM()
		VCVTPH2PS(m, v)
		return v
	}}
)

// bytes converts a count of elements to bytes.
func (e element) bytes(r reg.GPVirtual) reg.GPVirtual {
	IMUL3Q(U8(uint8(e.size)), r, r)
	return r
}

func farDots(e element) {
	avx2.Begin("attentionDots" + e.suffix)
	farLoop(e, "p", "q", "k", func(p, q, k, far, far3, d reg.GPVirtual) {
		var sum [4]Vec
		for s := range sum {
			sum[s] = YMM()
			VXORPS(sum[s], sum[s], sum[s])
		}
		Label("channels")
		v := YMM()
		VMOVUPS(Mem{Base: q}, v)
		for s, at := range streams(k, far, far3) {
			VFMADD231PS(e.load(at), v, sum[s])
		}
		ADDQ(U8(32), q)
		ADDQ(U8(uint8(8*e.size)), k)
		SUBQ(U8(8), d)
		JNZ(LabelRef("channels"))
		VHADDPS(sum[1], sum[0], sum[0])
		VHADDPS(sum[3], sum[2], sum[2])
		VHADDPS(sum[2], sum[0], sum[0])
		high := XMM()
		VEXTRACTF128(U8(1), sum[0], high)
		VADDPS(high, sum[0].AsX(), sum[0].AsX())
		VMOVUPS(sum[0].AsX(), Mem{Base: p})
	})
}

func farSums(e element) {
	avx2.Begin("attentionSums" + e.suffix)
	farLoop(e, "p", "y", "v", func(p, y, v, far, far3, d reg.GPVirtual) {
		var weight [4]Vec
		for s := range weight {
			weight[s] = YMM()
			VBROADCASTSS(Mem{Base: p, Disp: 4 * s}, weight[s])
		}
		Label("channels")
		sum := YMM()
		VMOVUPS(Mem{Base: y}, sum)
		for s, at := range streams(v, far, far3) {
			VFMADD231PS(e.load(at), weight[s], sum)
		}
		VMOVUPS(sum, Mem{Base: y})
		ADDQ(U8(32), y)
		ADDQ(U8(uint8(8*e.size)), v)
		SUBQ(U8(8), d)
		JNZ(LabelRef("channels"))
	})
}

// farLoop calls body for every row and query head: p points at the four scores
// of the row, x and rows at the head. body advances x and rows while it counts
// d down from D.
func farLoop(e element, score, vector, matrix string, body func(p, x, rows, far, far3, d reg.GPVirtual)) {
	p0, x0, row := gp(score), gp(vector), gp(matrix)
	ld, stride, far := inBytes(gp("ld")), e.bytes(gp("stride")), e.bytes(gp("far"))
	far3, p, x, head, at, heads, group, d := GP64(), GP64(), GP64(), GP64(), GP64(), GP64(), GP64(), GP64()
	LEAQ(Mem{Base: far, Index: far, Scale: 2}, far3)
	Label("row")
	MOVQ(p0, p)
	MOVQ(x0, x)
	MOVQ(row, at)
	Load(Param("H"), heads)
	Label("head")
	MOVQ(at, head)
	Load(Param("G"), group)
	Label("query")
	MOVQ(head, at)
	Load(Param("D"), d)
	body(p, x, at, far, far3, d)
	ADDQ(ld, p)
	DECQ(group)
	JNZ(LabelRef("query"))
	DECQ(heads)
	JNZ(LabelRef("head"))
	ADDQ(U8(16), p0)
	ADDQ(stride, row)
	DECQ(address("rows"))
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}

// copyHalves expands rows of n elements, a multiple of 8.
func copyHalves(e element) {
	avx2.Begin("attentionCopy" + e.suffix)
	dst, ldd, src, lds := gp("dst"), inBytes(gp("ldd")), gp("src"), e.bytes(gp("lds"))
	rows, n, i := gp("rows"), gp("n"), GP64()
	Label("row")
	XORQ(i, i)
	Label("vectors")
	v := e.load(Mem{Base: src, Index: i, Scale: 2})
	VMOVUPS(v, Mem{Base: dst, Index: i, Scale: 4})
	ADDQ(U8(8), i)
	CMPQ(i, n)
	JL(LabelRef("vectors"))
	ADDQ(ldd, dst)
	ADDQ(lds, src)
	DECQ(rows)
	JNZ(LabelRef("row"))
	VZEROUPPER()
	RET()
}
