package stats

import (
	"fmt"
	"math"
	"slices"
)

// Slope is the least-squares slope of y against x, NaN where all x are one.
func Slope(x, y []float64) float64 {
	mx, my := mean(x), mean(y)
	var xx, xy float64
	for i := range x {
		xx += (x[i] - mx) * (x[i] - mx)
		xy += (x[i] - mx) * (y[i] - my)
	}
	if xx < 1e-12 {
		return math.NaN()
	}
	return xy / xx
}

// The forms that a curve may have.
const (
	Constant  = "constant"  // a
	Affine    = "affine"    // a + b·x
	Power     = "power"     // a·xᵇ
	Quadratic = "quadratic" // a + b·x + c·x²
)

// fewest points that tell the first three forms apart: AICc needs two more than
// a form has parameters, its deviation among them.
const fewest = 5

// A Curve is a form with its parameters.
type Curve struct {
	Form     string
	P        []float64 // a, b, c
	Residual float64   // the largest, as a share of y
	score    float64   // AICc
}

// At is the curve's value at x.
func (c Curve) At(x float64) float64 {
	if c.Form == Power {
		return c.P[0] * math.Pow(x, c.P[1])
	}
	y := 0.0
	for i := len(c.P) - 1; i >= 0; i-- {
		y = y*x + c.P[i]
	}
	return y
}

// Fit finds the form of positive y against x ≥ 0, five points or more, by
// Akaike's criterion corrected for few points; residuals are shares of y. A
// power is tried where every x is above 0, a quadratic with six points.
// Source: Hurvich & Tsai, Regression and Time Series Model Selection in Small
// Samples, Biometrika 1989.
func Fit(x, y []float64) (Curve, error) {
	if len(x) != len(y) || len(slices.Compact(slices.Sorted(slices.Values(x)))) < fewest {
		return Curve{}, fmt.Errorf("the form of a curve needs %d positions", fewest)
	}
	if err := checkPositive(y); err != nil {
		return Curve{}, err
	}
	best := Curve{score: math.Inf(1)}
	for _, form := range []string{Constant, Affine, Power, Quadratic} {
		if c, ok := FitForm(form, x, y); ok && c.score < best.score {
			best = c
		}
	}
	return best, nil
}

// FitForm fits one form; ok is false where the points do not allow it.
func FitForm(form string, x, y []float64) (c Curve, ok bool) {
	c.Form = form
	switch form {
	case Power:
		if slices.Min(x) <= 0 {
			return c, false
		}
		c.P = power(x, y)
	default:
		c.P, ok = polynomial(x, y, map[string]int{Constant: 1, Affine: 2, Quadratic: 3}[form])
		if !ok {
			return c, false
		}
	}
	n, k, squares := float64(len(x)), float64(len(c.P)+1), 0.0
	for i := range x {
		r := 1 - c.At(x[i])/y[i]
		squares += r * r
		c.Residual = max(c.Residual, math.Abs(r))
	}
	if n-k-1 <= 0 {
		return c, false
	}
	// Note: the floor keeps rounding from choosing among curves without residuals.
	c.score = n*math.Log(max(squares/n, 1e-18)) + 2*k + 2*k*(k+1)/(n-k-1)
	return c, finiteAll(c.P)
}

func finiteAll(xs []float64) bool { return check(xs) == nil }

// polynomial minimises the squares of relative residuals; x is scaled to at
// most 1.
func polynomial(x, y []float64, terms int) (p []float64, ok bool) {
	scale := max(slices.Max(x), 1e-300)
	rows := make([][]float64, len(x))
	ones := make([]float64, len(x))
	for i := range x {
		for j := range terms {
			rows[i] = append(rows[i], math.Pow(x[i]/scale, float64(j))/y[i])
		}
		ones[i] = 1
	}
	if p, ok = leastSquares(rows, ones); !ok {
		return nil, false
	}
	for j := range p {
		p[j] /= math.Pow(scale, float64(j))
	}
	return p, true
}

// power starts from the line on log-log axes and minimises the squares of
// relative residuals by Gauss and Newton's method.
func power(x, y []float64) []float64 {
	lx, ly := make([]float64, len(x)), make([]float64, len(x))
	for i := range x {
		lx[i], ly[i] = math.Log(x[i]), math.Log(y[i])
	}
	b := Slope(lx, ly)
	a := mean(ly) - b*mean(lx) // of the logarithm
	for range 30 {
		rows, r := make([][]float64, len(x)), make([]float64, len(x))
		for i := range x {
			f := math.Exp(a+b*lx[i]) / y[i]
			rows[i], r[i] = []float64{f, f * lx[i]}, 1-f
		}
		step, ok := leastSquares(rows, r)
		if !ok {
			break
		}
		a, b = a+step[0], b+step[1]
	}
	return []float64{math.Exp(a), b}
}

// leastSquares solves the normal equations of a few unknowns; ok is false where
// they have no single solution.
func leastSquares(rows [][]float64, y []float64) (p []float64, ok bool) {
	n := len(rows[0])
	m := make([][]float64, n) // [n, n+1]
	for j := range m {
		m[j] = make([]float64, n+1)
		for i, row := range rows {
			for k := range n {
				m[j][k] += row[j] * row[k]
			}
			m[j][n] += row[j] * y[i]
		}
	}
	for j := range n {
		pivot := m[j][j]
		if !(pivot > 1e-14*math.Abs(m[0][0])) {
			return nil, false
		}
		for k := range n {
			if f := m[k][j] / pivot; k != j {
				for l := j; l <= n; l++ {
					m[k][l] -= f * m[j][l]
				}
			}
		}
	}
	for j := range n {
		p = append(p, m[j][n]/m[j][j])
	}
	return p, true
}

// Crossing is the first x in [from, to] at which f, below g before, exceeds it,
// or the other way round. Where they do not cross x is infinite.
func Crossing(f, g Curve, from, to float64) float64 {
	const steps = 4000
	sign := func(x float64) bool { return f.At(x) > g.At(x) }
	first := sign(from)
	for i := 1; i <= steps; i++ {
		lo, hi := from+(to-from)*float64(i-1)/steps, from+(to-from)*float64(i)/steps
		if sign(hi) == first {
			continue
		}
		for range 60 {
			if mid := (lo + hi) / 2; sign(mid) == first {
				lo = mid
			} else {
				hi = mid
			}
		}
		return hi
	}
	return math.Inf(1)
}
