package kernels_test

import (
	"fmt"

	"workbench/kernels"
)

// A linear layer of two outputs over a batch of two rows: a row of b holds the
// weights of one output.
func ExampleMatMulNT() {
	a := []float32{1, 2, 3, 4, 5, 6} // [2,3]
	b := []float32{1, 0, 0, 0, 1, 1} // [2,3]
	c := make([]float32, 4)          // [2,2]
	kernels.MatMulNT(c, a, b, 2, 2, 3, false)
	fmt.Println(c)
	// Output: [1 5 4 11]
}

// A matrix stored in 8 bits takes about a quarter of the memory.
func ExampleMulVec() {
	w := make([]float32, 2*32) // [2,32]
	for k := range 32 {
		w[k], w[32+k] = 1, -0.5
	}
	x := make([]float32, 32)
	for k := range x {
		x[k] = 2
	}
	m, err := kernels.NewMatrix(kernels.Q8_0, w, 2, 32)
	if err != nil {
		fmt.Println(err)
		return
	}
	y := make([]float32, 2)
	kernels.MulVec(y, m, x)
	fmt.Printf("%s: %.0f\n", m.Type, y)
	// Output: q8_0: [64 -32]
}

// With equal keys, no decay and no bonus, the output of RWKV-4's recurrence is
// the mean of the values so far. The state carries it from call to call.
func ExampleWKV4() {
	in := kernels.WKV4Inputs{W: []float32{0}, U: []float32{0}}
	state := kernels.WKV4State{A: []float32{0}, B: []float32{0}, P: []float32{kernels.WKV4Start}}

	prompt := make([]float32, 3)
	in.K, in.V = []float32{0, 0, 0}, []float32{1, 3, 5}
	kernels.WKV4(prompt, state, in, 1, 3, 1)

	next := make([]float32, 1)
	in.K, in.V = []float32{0}, []float32{7}
	kernels.WKV4(next, state, in, 1, 1, 1)
	fmt.Printf("prompt %.2f, next token %.2f\n", prompt, next)
	// Output: prompt [1.00 2.00 3.00], next token [4.00]
}

func ExampleLayerNorm() {
	y := make([]float32, 4)
	kernels.LayerNorm(y, kernels.Norm{
		X: []float32{1, 3, 10, 50}, R: 2, C: 2,
		W: []float32{1, 1}, B: []float32{0, 0.5},
	})
	fmt.Printf("%.2f\n", y)
	// Output: [-1.00 1.50 -1.00 1.50]
}

// Every implementation that this machine runs can be chosen by its name; the
// generic one is always there.
func ExampleUse() {
	fastest := kernels.Impl()
	defer kernels.Use(fastest)

	w, x, y := []float32{1, 2, 3, 4}, []float32{10, 1}, make([]float32, 2)
	for _, impl := range kernels.Impls() {
		if err := kernels.Use(impl); err != nil {
			fmt.Println(err)
		}
		kernels.MatVec(y, w, x, 2, 2)
		if y[0] != 12 || y[1] != 34 {
			fmt.Println(impl, "gives", y)
		}
	}
	fmt.Println("the last one is", kernels.Impl())
	fmt.Println("unknown names are refused:", kernels.Use("abacus") != nil)
	// Output:
	// the last one is generic
	// unknown names are refused: true
}
