package checkpoint

import "testing"

// TestCodebooks checks that every index has a point, and that the first point
// has the lowest levels.
func TestCodebooks(t *testing.T) {
	for name, c := range map[string]struct {
		points []float32
		n, len int
		lowest float32
	}{
		"iq2_xxs": {iq2XXS(), 8, 256, 8}, "iq2_xs": {iq2XS(), 8, 512, 8}, "iq2_s": {iq2S(), 8, 1024, 8},
		"iq3_xxs": {iq3XXS(), 4, 256, 4}, "iq3_s": {iq3S(), 4, 512, 1}, "iq1": {iq1(), 8, 2048, -1},
	} {
		if len(c.points) != c.n*c.len {
			t.Errorf("%s has %d values, want %d times %d", name, len(c.points), c.len, c.n)
			continue
		}
		for _, v := range c.points[:c.n] {
			if v != c.lowest {
				t.Errorf("%s begins with %v, want %v only", name, c.points[:c.n], c.lowest)
				break
			}
		}
	}
}
