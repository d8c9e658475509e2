package ops

import (
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// Predicates of VCMPPS.
const (
	lessThan    = U8(0x11) // quiet, false for NaN
	notLessThan = U8(0x15) // quiet, true for NaN
	greaterThan = U8(0x1e) // quiet, false for NaN
)

const (
	nearest     = 1.5 * (1 << 23)      // adding it rounds to an integer in the low bits
	log2e       = 1.4426950408889634   // 1/ln 2
	ln2High     = 0.693359375          // ln 2 in 9 bits: n·ln2High is exact
	ln2Low      = -2.12194440054691e-4 // ln 2 - ln2High
	smallestExp = -87.33654            // e^x is 2^-126 here; below it is 0
	largestExp  = 88.72283             // e^x is the largest float32
)

// expTerms are the c of e^r ≈ 1 + r + r²·Σ c[i]·rⁱ on |r| ≤ ln 2 / 2, with an
// error of at most 0.01 units in the last place: interpolation at Chebyshev
// nodes.
var expTerms = []float64{0.500000001354, 0.166666666817, 0.0416664641974, 0.00833331084465, 0.00139337307158, 0.00019891080464}

// horner returns Σ c[i]·xⁱ.
func horner(x Vec, c []float64) Vec {
	p := YMM()
	VMOVUPS(num(c[len(c)-1]), p)
	for i := len(c) - 2; i >= 0; i-- {
		VFMADD213PS(num(c[i]), x, p)
	}
	return p
}

// expNeg returns e^x for x ≤ 88, 0 below smallestExp.
func expNeg(x Vec) Vec {
	t, n, r, r2 := YMM(), YMM(), YMM(), YMM()
	VMOVUPS(num(nearest), t)
	VFMADD231PS(num(log2e), x, t)
	VSUBPS(num(nearest), t, n)
	VMOVAPS(x, r)
	VFNMADD231PS(num(ln2High), n, r)
	VFNMADD231PS(num(ln2Low), n, r)
	p := horner(r, expTerms)
	VMULPS(r, r, r2)
	VFMADD213PS(r, r2, p)
	VADDPS(num(1), p, p)
	VPSLLD(U8(23), t, t)
	VPADDD(t, p, p)
	VCMPPS(notLessThan, num(smallestExp), x, n)
	VANDPS(n, p, p)
	return p
}

// exp returns e^x: 0 below smallestExp, +Inf above largestExp, NaN for NaN.
func exp(x Vec) Vec {
	p, over := expNeg(x), YMM()
	VCMPPS(greaterThan, num(largestExp), x, over)
	VBLENDVPS(over, num(math.Inf(1)), p, p)
	return p
}

var signBit = uint32(1 << 31)

// negAbs returns -|x|.
func negAbs(x Vec) Vec {
	v := YMM()
	VORPS(bits32(signBit), x, v)
	return v
}

// sigmoid returns 1/(1+e^-x), as e/(1+e) with e = e^-|x| where x < 0.
func sigmoid(x Vec) Vec {
	e, d, top := expNeg(negAbs(x)), YMM(), YMM()
	VADDPS(num(1), e, d)
	VMOVUPS(num(1), top)
	VBLENDVPS(x, e, top, top)
	VDIVPS(d, top, top)
	return top
}

// tanhTerms are the c of tanh(x) ≈ x + x³·Σ c[i]·x²ⁱ on |x| < 0.625, with an
// error of at most 0.15 units in the last place: interpolation at Chebyshev
// nodes.
var tanhTerms = []float64{-0.333333283662796, 0.1333276927471161, -0.05385090783238411, 0.020997179672122, -0.006096714176237583}

// tanh is the polynomial near 0 and (1-e)/(1+e), e = e^(-2|x|), elsewhere.
func tanh(x Vec) Vec {
	a, e, far, d := negAbs(x), YMM(), YMM(), YMM()
	VADDPS(a, a, e)
	e = expNeg(e)
	VMOVUPS(num(1), far)
	VADDPS(far, e, d)
	VSUBPS(e, far, far)
	VDIVPS(d, far, far)
	VANDPS(bits32(signBit), x, e)
	VORPS(e, far, far)
	z, near := YMM(), YMM()
	VMULPS(x, x, z)
	near = horner(z, tanhTerms)
	VMULPS(z, near, near)
	VFMADD213PS(x, x, near)
	VCMPPS(lessThan, num(-0.625), a, d)
	VBLENDVPS(d, far, near, near)
	return near
}

// tailTerms are the c of Φ(-a)·e^(a²/2) ≈ Σ c[i]·tⁱ, t = 1/(1+a/4), on 0 ≤ a ≤
// 13.5, with a relative error of 6e-8: interpolation at Chebyshev nodes.
var tailTerms = []float64{
	-3.542688864399679e-05, 0.10049518942832947, 0.09261991083621979, 0.13182051479816437, -0.05008409172296524,
	0.36002248525619507, -0.4005994200706482, 0.44566792249679565, -0.21788129210472107, 0.03797423094511032,
}

// normal returns Φ(x), the distribution function of the normal distribution,
// and e^(-x²/2). x² is carried in two floats, so that the lower tail keeps its
// relative accuracy.
func normal(x Vec) (cdf, bell Vec) {
	a, square, low, t := YMM(), YMM(), YMM(), YMM()
	VANDPS(bits32(^signBit), x, a)
	VMINPS(num(14), a, a)
	VMULPS(a, a, square)
	VMOVAPS(square, low)
	VFMSUB231PS(a, a, low) // a² - square
	VMULPS(num(-0.5), square, square)
	bell = expNeg(square)
	VMULPS(num(-0.5), low, low)
	VFMADD231PS(low, bell, bell)
	VMOVUPS(num(1), t)
	VFMADD231PS(num(0.25), a, t)
	one, upper := YMM(), YMM()
	VMOVUPS(num(1), one)
	VDIVPS(t, one, t)
	cdf = horner(t, tailTerms)
	VMULPS(bell, cdf, cdf)
	VSUBPS(cdf, one, upper)
	VBLENDVPS(x, cdf, upper, cdf)
	return cdf, bell
}
