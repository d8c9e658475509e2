package rwkv

import (
	"workbench/arch/nn"
	"workbench/kernels"
)

// Values of the ablations.
const (
	on      = "on"
	off     = "off"
	learned = "learned"
	static  = "static"
	fixed   = "fixed"
	shared  = "shared"
	none    = "none"
	same    = "same"

	dataDependent = "data-dependent"
)

// activations of the channel mixing, by their names in a configuration.
var activations = map[string]kernels.Activation{
	"relu2": kernels.ActReLUSq, "relu": kernels.ActReLU, "gelu": kernels.ActGELU, "silu": kernels.ActSiLU,
}

// without removes the weights of an ablated part.
func without(setting string, weights ...**nn.Tensor) {
	if setting == off {
		for _, w := range weights {
			*w = nil
		}
	}
}

// ablateShift resolves a token shift: fixed weights keep their initial values,
// and without weights there is no shift.
func ablateShift(kind string, mus ...**nn.Tensor) {
	for _, mu := range mus {
		switch {
		case kind == none:
			*mu = nil
		case kind == fixed && *mu != nil:
			(*mu).Const = true
		}
	}
}

// channelShift resolves the setting of the channel mixing, which may be the
// same as that of the time mixing.
func channelShift(channel, time string) string {
	switch {
	case channel != same:
		return channel
	case time == dataDependent:
		return learned
	}
	return time
}

// spread scales the distance of the initial decays from their mean: 0 sets all
// to the mean, 1 leaves them unchanged.
func spread(w *nn.Tensor, by float64) *nn.Tensor {
	m := mean(w)
	for i, v := range w.Data {
		w.Data[i] = float32(m + by*(float64(v)-m))
	}
	return w
}

func mean(w *nn.Tensor) (m float64) {
	for _, v := range w.Data {
		m += float64(v) / float64(w.Len())
	}
	return m
}

// ablateDecay resolves a decay that does not depend on the token. It removes or
// changes the official parameter, and returns the log-decay [C], which log
// computes from the parameter:
//
//	learned, static  trained
//	fixed            left at its initial value
//	shared           one trained number [1] for all channels of the layer, at
//	                 first their mean
//	none             nothing is forgotten: a log-decay of 0
func ablateDecay(kind string, w **nn.Tensor, C int, log kernels.Activation) func(g *nn.Graph) *nn.Tensor {
	switch kind {
	case fixed:
		(*w).Const = true
	case shared:
		*w = nn.New(1).Fill(float32(mean(*w)))
	case none:
		*w = nil
		forever := nn.New(C)
		forever.Const = true
		return func(*nn.Graph) *nn.Tensor { return forever }
	}
	p, each := *w, C/(*w).Len()
	return func(g *nn.Graph) *nn.Tensor {
		y := nn.Activate(g, log, p)
		if each > 1 {
			y = nn.Repeat(g, y, each)
		}
		return y
	}
}
