package checkpoint

import (
	"errors"
	"fmt"
)

// recurrent returns which of torch's recurrent layers a file holds, by the
// number of gates in a matrix; "" for none.
func recurrent(ts tensors) (string, error) {
	t := ts["rnn.weight_hh_l0"]
	switch {
	case t == nil || len(t.Shape) != 2 || t.Shape[1] == 0:
		return "", nil
	case ts["rnn.weight_hr_l0"] != nil:
		return "", errors.New(`tensor "rnn.weight_hr_l0" is an LSTM's projection (proj_size), which this program does not have`)
	case ts["rnn.weight_hh_l0_reverse"] != nil:
		return "", errors.New(`tensor "rnn.weight_hh_l0_reverse" is a second direction (bidirectional), which this program does not have`)
	}
	switch t.Shape[0] {
	case t.Shape[1]:
		return "rnn", nil
	case 3 * t.Shape[1]:
		return "gru", nil
	case 4 * t.Shape[1]:
		return "lstm", nil
	}
	return "", fmt.Errorf("tensor %q has shape %v and should have 1, 3 or 4 times as many rows as columns", "rnn.weight_hh_l0", clipInts(t.Shape))
}

// layoutRNN is the layout of torch's recurrent layers with that many gates
// between an embedding and a head, with or without LayerNorm before each layer
// and the head.
func layoutRNN(gates int) layout {
	return func(s *sizes) (map[string]any, map[string][]int) {
		V, E := s.matrix("emb.weight")
		_, H := s.matrix("rnn.weight_hh_l0")
		L := s.layers("rnn.weight_hh_l")
		want := map[string][]int{"emb.weight": {V, E}, "head.weight": {V, H}, "head.bias": {V}}
		each := func(name string, shape ...int) {
			s.each(want, "rnn."+name+"_l%d", L, map[string][]int{"": shape})
		}
		each("weight_ih", gates*H, H)
		each("weight_hh", gates*H, H)
		each("bias_ih", gates*H)
		each("bias_hh", gates*H)
		want["rnn.weight_ih_l0"] = []int{gates * H, E}
		config := map[string]any{"dim": H, "emb": E, "layers": L, "vocab": V}
		if s.ts["ln_out.weight"] != nil {
			config["layer_norm"] = true
			s.each(want, "rnn.ln_l%d.", L, map[string][]int{"weight": {H}, "bias": {H}})
			want["rnn.ln_l0.weight"], want["rnn.ln_l0.bias"] = []int{E}, []int{E}
			want["ln_out.weight"], want["ln_out.bias"] = []int{H}, []int{H}
		}
		return config, want
	}
}
