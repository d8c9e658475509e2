package reports

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// clean makes a string from outside safe to show as text anywhere: control
// characters, line and direction controls and invalid UTF-8 become U+FFFD.
// Newlines and tabs stay where the text has lines.
func clean(s string, lines bool) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			if lines {
				return r
			}
			return ' '
		case r == '\r' && lines:
			return -1
		case unicode.IsControl(r), r == 0x2028, r == 0x2029, r == 0xFEFF, r&0xFFFE == 0xFFFE,
			r >= 0x200B && r <= 0x200F, r >= 0x202A && r <= 0x202E, r >= 0x2060 && r <= 0x206F:
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// shorten cuts s to n runes, the last of them an ellipsis.
func shorten(s string, n int) string {
	r := []rune(s)
	if len(r) <= n {
		return s
	}
	return string(r[:n-1]) + "…"
}

// wrap breaks s into lines of about n runes, at spaces and after = and _ where
// it can.
func wrap(s string, n int) string {
	var lines []string
	line := []rune{}
	brk := -1
	for _, r := range s {
		line = append(line, r)
		if r == ' ' || r == '=' || r == '_' || r == '-' {
			brk = len(line)
		}
		if len(line) > n {
			if brk <= 0 {
				brk = n
			}
			lines = append(lines, strings.TrimSpace(string(line[:brk])))
			line, brk = slices.Clone(line[brk:]), -1
		}
	}
	return strings.Join(append(lines, strings.TrimSpace(string(line))), "\n")
}

// slug is s as part of a file name or anchor: a-z, 0-9 and single hyphens.
func slug(s string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(s) {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			b.WriteRune(r)
		} else if n := b.Len(); n > 0 && b.String()[n-1] != '-' {
			b.WriteByte('-')
		}
		if b.Len() >= 40 {
			break
		}
	}
	if t := strings.Trim(b.String(), "-"); t != "" {
		return t
	}
	return "x"
}

// uniqueSlug is slug(s), numbered where used already holds it.
func uniqueSlug(s string, used map[string]bool) string { return unused(slug(s), used) }

// unused is base, numbered where used already holds it.
func unused(base string, used map[string]bool) string {
	name := base
	for i := 2; used[name]; i++ {
		name = fmt.Sprintf("%s-%d", base, i)
	}
	used[name] = true
	return name
}

// siScale picks the prefix in which v of a unit is readable and the factor it
// stands for. Bytes take binary prefixes; other units that take none pass
// unchanged.
func siScale(v float64, unit string) (float64, string) {
	v = math.Abs(v)
	switch unit {
	case "B":
		for i, p := range []string{"GiB", "MiB", "KiB"} {
			if f := math.Pow(1024, float64(3-i)); v >= f {
				return f, p
			}
		}
		return 1, "B"
	case "s", "s/token", "J", "J/token", "W":
		for _, p := range []struct {
			f    float64
			name string
		}{{1e3, "k"}, {1, ""}, {1e-3, "m"}, {1e-6, "µ"}, {1e-9, "n"}} {
			if unit[0] == 's' && p.f > 1 {
				continue
			}
			if v >= p.f*0.9995 {
				return p.f, p.name + unit
			}
		}
	}
	return 1, unit
}

// withUnit is v with its unit to three digits: "2.31 ms/token".
func withUnit(v float64, unit string) string {
	f, u := siScale(v, unit)
	return strings.TrimSpace(digits(v/f) + " " + u)
}

// digits prints v to three significant digits without an exponent where that
// stays readable.
func digits(v float64) string {
	a := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return "n/a"
	case math.IsInf(v, 1):
		return "∞"
	case math.IsInf(v, -1):
		return "−∞"
	case a == 0:
		return "0"
	case a >= 1e7 || a < 1e-4:
		m, e, _ := strings.Cut(strconv.FormatFloat(v, 'e', 2, 64), "e")
		x, _ := strconv.Atoi(e)
		return minus(m) + "e" + minus(strconv.Itoa(x))
	}
	d := max(0, 2-int(math.Floor(math.Log10(a))))
	return minus(strconv.FormatFloat(v, 'f', d, 64))
}

// plain prints v as it was written.
func plain(v float64) string {
	if a := math.Abs(v); a >= 1e-3 && a < 1e15 {
		return minus(strconv.FormatFloat(v, 'f', -1, 64))
	}
	return minus(strconv.FormatFloat(v, 'g', -1, 64))
}

// fixed prints v with n decimals, and a true minus sign.
func fixed(v float64, n int) string { return minus(strconv.FormatFloat(v, 'f', n, 64)) }

func minus(s string) string {
	if strings.HasPrefix(s, "-") {
		return "−" + s[1:]
	}
	return s
}

func percent(share float64) string {
	s := digits(share * 100)
	if strings.Contains(s, ".") && !strings.Contains(s, "e") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s + " %"
}

// count is "1 point" or "3 points"; the plural falls on the first word.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	head, tail, ok := strings.Cut(what, " ")
	if ok {
		tail = " " + tail
	}
	return strconv.Itoa(n) + " " + head + "s" + tail
}

// list joins words as a sentence does.
func list(words []string) string {
	switch n := len(words); n {
	case 0:
		return ""
	case 1:
		return words[0]
	default:
		return strings.Join(words[:n-1], ", ") + " and " + words[n-1]
	}
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "n/a"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

func duration(d time.Duration) string { return d.Round(time.Second).String() }

func nonEmpty(s ...string) []string {
	return slices.DeleteFunc(s, func(x string) bool { return x == "" })
}

func lower(s string) string { return first(s, unicode.ToLower) }

func upper(s string) string { return first(s, unicode.ToUpper) }

func first(s string, to func(rune) rune) string {
	r := []rune(s)
	if len(r) > 0 {
		r[0] = to(r[0])
	}
	return string(r)
}
