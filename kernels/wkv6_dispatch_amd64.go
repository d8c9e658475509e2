//go:build !purego

package kernels

func wkv6Values(q *wkv6Scan)                    { wkv6ValuesGeneric(q) }
func wkv6Keys(q *wkv6Scan)                      { wkv6KeysGeneric(q) }
func wkv6Dots(c, a, u, b []float32, stride int) { wkv6DotsGeneric(c, a, u, b, stride) }
func joinWKV6(g *wkv6Join)                      { wkv6JoinGeneric(g) }
func wkv6Meet(q, G, S []float32)                { wkv6MeetGeneric(q, G, S) }
