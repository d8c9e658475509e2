package checkpoint

import "workbench/arch/nn"

// Named is a list of tensors by name, which Save writes in its order.
type Named []nn.Param

// visit walks the tensors that Save writes: the weights of a model, or a list
// of tensors.
func visit(m any, f func(nn.Param)) {
	list, ok := m.(Named)
	if !ok {
		nn.Walk(m, f)
	}
	for _, p := range list {
		f(p)
	}
}
