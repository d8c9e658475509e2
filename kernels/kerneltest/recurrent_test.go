package kerneltest

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"workbench/kernels"
)

// TestRecurrentThreads checks that threads with sequences of their own and
// threads that share units give the same bytes, packed or not.
func TestRecurrentThreads(t *testing.T) {
	before := kernels.Threads()
	t.Cleanup(func() { kernels.SetThreads(before) })
	underEachImpl(t, func(t *testing.T) {
		for _, o := range recurrentOps() {
			for _, d := range [][]int{{1, 5, 40}, {4, 3, 260}, {8, 5, 100}, {9, 3, 100}, {7, 4, 371}, {32, 5, 64}} {
				var want []byte
				for threads := 1; threads <= 3; threads++ {
					kernels.SetThreads(threads)
					c, _ := o.build(d, 5, 1)
					o.run(c)
					o.grad(c)
					var got []byte
					for _, x := range slices.Concat(c.out, c.din) {
						got = append(got, bytesOf(x)...)
					}
					if want == nil {
						want = got
					} else if !bytes.Equal(got, want) {
						t.Errorf("%s %v: %d threads give other bytes than one", o.name, d, threads)
					}
				}
			}
		}
	})
}

// TestRecurrentNil checks that a nil state equals a state of zeros, and that a
// nil gradient changes nothing else.
func TestRecurrentNil(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, d := range [][]int{{2, 3, 21}, {5, 6, 33}} {
			B, T, H := d[0], d[1], d[2]
			for _, o := range recurrentOps() {
				inputs := o.inputs
				o.inputs = func(d []int) []array {
					a := inputs(d)
					for i := 2; i < len(a); i++ {
						a[i].value = zero
					}
					return a
				}
				c, _ := o.build(d, 1, 0)
				bare, _ := o.build(d, 1, 0)
				o.run(c)
				o.grad(c)
				x, y, w, dx := bare.in, bare.out, bare.in[1], bare.din[0]
				switch o.name {
				case "elman":
					kernels.Elman(y[0], x[0], w, nil, B, T, H)
					kernels.ElmanGrad(dx, nil, bare.dout[0], y[0], w, nil, B, T, H)
				case "lstm":
					kernels.LSTM(lstmCells(y, nil, nil), w, B, T, H)
					kernels.LSTMGrad(dx, nil, bare.dout[0], lstmCells(y, nil, nil), w, B, T, H)
				case "gru":
					kernels.GRU(gruCells(y, x[3], nil), w, B, T, H)
					kernels.GRUGrad(dx, nil, nil, bare.dout[0], gruCells(y, x[3], nil), w, B, T, H)
				}
				if !slices.Equal(y[0], c.out[0]) || !slices.Equal(dx, c.din[0]) {
					t.Errorf("%s %v without a state differs from one of zeros", o.name, d)
				}
			}
		}
	})
}

// TestRecurrentRange runs sums far beyond the range in which gates saturate.
func TestRecurrentRange(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, o := range recurrentOps() {
			inputs := o.inputs
			o.inputs = func(d []int) []array {
				a := inputs(d)
				a[0].value = func(r *rand.Rand) float64 { return math.Copysign(50*math.Pow(10, 4*r.Float64()), r.Float64()-0.5) }
				return a
			}
			for i, d := range [][]int{{1, 40, 19}, {4, 40, 19}} {
				o.testForward(t, d, i)
				o.testGrad(t, d, i)
			}
		}
	})
}

// TestRecurrentPieces checks that cutting the sequence changes no byte, while
// pieces are long enough to use the same algorithm.
func TestRecurrentPieces(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, c := range []struct {
			B      int
			pieces []int
		}{{1, []int{1, 1, 7, 2, 9}}, {5, []int{4, 7, 4, 5}}} {
			const T, H = 20, 37
			for _, o := range recurrentOps() {
				whole, _ := o.build([]int{c.B, T, H}, 1, 0)
				o.run(whole)
				state, _ := o.build([]int{c.B, T, H}, 1, 0)
				var got []float32
				for b, at := 0, 0; at < T; b, at = b+1, at+c.pieces[b] {
					piece, _ := o.build([]int{c.B, c.pieces[b], H}, 2, 0)
					o.copyPiece(piece, state, at)
					o.run(piece)
					for i, a := range o.outputs(whole.d) {
						if a.from > 1 {
							copy(state.out[i], piece.out[i])
						}
					}
					got = append(got, piece.out[0][(c.B-1)*c.pieces[b]*H:]...) // the last row
				}
				if !slices.Equal(got, whole.out[0][(c.B-1)*T*H:]) {
					t.Errorf("%s: pieces %v of %d rows differ from the whole", o.name, c.pieces, c.B)
				}
			}
		}
	})
}

// copyPiece makes piece the steps of whole from at on, continuing from the
// states of whole.
func (o *Op) copyPiece(piece, whole *call, at int) {
	B, T, steps := whole.d[0], whole.d[1], piece.d[1]
	row := len(whole.in[0]) / (B * T)
	for b := range B {
		copy(piece.in[0][b*steps*row:(b+1)*steps*row], whole.in[0][(b*T+at)*row:])
	}
	for i := 1; i < len(whole.in); i++ {
		copy(piece.in[i], whole.in[i])
	}
	for i, a := range o.outputs(piece.d) {
		switch {
		case a.from == 1:
			copy(piece.out[i], piece.in[0])
		case a.from > 1:
			copy(piece.out[i], whole.out[i])
		}
	}
}

// TestRecurrentStored checks that a Matrix of float32 gives the values of the
// plain slice.
func TestRecurrentStored(t *testing.T) {
	underEachImpl(t, func(t *testing.T) {
		for _, d := range [][]int{{1, 1, 24}, {3, 5, 24}} {
			B, T, H := d[0], d[1], d[2]
			for _, o := range recurrentOps() {
				c, _ := o.build(d, 1, 0)
				s, _ := o.build(d, 1, 0)
				o.run(c)
				w, err := kernels.NewMatrix(kernels.F32, c.in[1], len(c.in[1])/H, H)
				if err != nil {
					t.Fatal(err)
				}
				switch y := s.out; o.name {
				case "elman":
					kernels.ElmanStored(y[0], s.in[0], w, y[1], B, T, H)
				case "lstm":
					kernels.LSTMStored(lstmCells(y, y[3], y[4]), w, B, T, H)
				case "gru":
					kernels.GRUStored(gruCells(y, s.in[3], y[3]), w, B, T, H)
				}
				for i := range c.out {
					near(t, o.name+" stored", s.out[i], widen(c.out[i]), 2e-6)
				}
			}
		}
	})
}
