//go:build !amd64 || purego

package kernels

func wkv6Values(q *wkv6Scan)                      { wkv6ValuesGeneric(q) }
func wkv6Keys(q *wkv6Scan)                        { wkv6KeysGeneric(q) }
func wkv6Dots(c, a, u, b []float32, stride int)   { wkv6DotsGeneric(c, a, u, b, stride) }
func wkv6Decays(d, w []float32, T, N, stride int) { wkv6DecaysGeneric(d, w, T, N, stride) }
func wkv6Meet(q, G, S []float32)                  { wkv6MeetGeneric(q, G, S) }

func wkv6Join(dw, dr, dk, du, q, gr, gk, u, r, k, d []float32, e float32) {
	wkv6JoinGeneric(dw, dr, dk, du, q, gr, gk, u, r, k, d, e)
}
