package corpus

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

func TestSplitHoldsOutTheEnd(t *testing.T) {
	x := newText("x", "x", []byte("0123456789"))
	train, val := x.Split(0.25)
	if string(train) != "01234567" || string(val) != "89" {
		t.Errorf("split into %q and %q", train, val)
	}
	if longer := append(train, '!'); len(longer) != 9 || x.Data[8] != '8' {
		t.Error("appending to the training part changes the held-out part")
	}
}

func TestGrammarIsPinned(t *testing.T) {
	x, err := OpenText("grammar")
	if err != nil {
		t.Fatal(err)
	}
	const want = "aa7ceffa2f01c93d69ad28cab04a6e00c7d7cd2abdc4f74325c8029fcb398bb7"
	if len(x.Data) != grammarBytes || x.SHA256 != want {
		t.Errorf("%d bytes with SHA-256 %s, want %d with %s", len(x.Data), x.SHA256, grammarBytes, want)
	}
	if i := bytes.IndexFunc(x.Data, func(r rune) bool { return r > 126 || r < ' ' && r != '\n' }); i >= 0 {
		t.Errorf("byte %#x at %d", x.Data[i], i)
	}
}

// The ends of the tales follow from what was said at their beginnings: people
// keep their trade, and the goods of all add up.
func TestGrammarRemembers(t *testing.T) {
	declared := regexp.MustCompile(`Let (\w+) be a (\w+) of \w+, who has (\d+) `)
	final := regexp.MustCompile(`(\w+) the (\w+), with (\d+) `)
	tales := strings.Split(string(grammarText().Data), "# The tale of ")
	moved := 0
	for _, tale := range tales[1 : len(tales)-1] {
		people, ends := declared.FindAllStringSubmatch(tale, -1), final.FindAllStringSubmatch(tale, -1)
		if len(people) < 3 || len(people) != len(ends) {
			t.Fatalf("%d people declared, %d at the end of\n%s", len(people), len(ends), tale)
		}
		sum := 0
		for i, p := range people {
			e := ends[i]
			if p[1] != e[1] || p[2] != e[2] {
				t.Fatalf("%s the %s ends as %s the %s", p[1], p[2], e[1], e[2])
			}
			before, _ := strconv.Atoi(p[3])
			after, _ := strconv.Atoi(e[3])
			sum += before - after
			if before != after {
				moved++
			}
		}
		if sum != 0 {
			t.Fatalf("goods do not add up in\n%s", tale)
		}
	}
	if moved < len(tales) {
		t.Errorf("goods moved for %d people in %d tales", moved, len(tales))
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestOpenFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "notes")
	write(t, dir+"/b.txt", "bee")
	write(t, dir+"/a/z.txt", "zed\n")
	write(t, dir+"/.hidden", "no")
	write(t, dir+"/.git/config", "no")
	write(t, dir+"/binary", "no\x00")
	write(t, dir+"/empty", "")
	if err := os.Symlink("b.txt", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	x, err := OpenText(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(x.Data); got != "zed\n\nbee" {
		t.Errorf("text %q", got)
	}
	if x.Name != "notes" || x.Source != "folder notes, 2 files" {
		t.Errorf("name %q, source %q", x.Name, x.Source)
	}
	link := filepath.Join(filepath.Dir(dir), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	if y, err := OpenText(link); err != nil || y.SHA256 != x.SHA256 {
		t.Errorf("through a link: %v, %v", y, err)
	}
}

func TestOpenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.bin")
	write(t, path, "a\x00c")
	x, err := OpenText(path)
	if err != nil {
		t.Fatal(err)
	}
	const sum = "b179f49283f586ae1922b625af4017aecdf77e7ee175c0af675abea14252a666"
	if string(x.Data) != "a\x00c" || x.Source != "file a.bin" || x.SHA256 != sum {
		t.Errorf("%q from %q, SHA-256 %s", x.Data, x.Source, x.SHA256)
	}
}

func TestJoinFilesStopsAtTheLimit(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/1", "12345")
	write(t, dir+"/2", "6789")
	write(t, dir+"/3", "x")
	all := func(string, os.DirEntry) bool { return true }
	for limit, want := range map[int]string{3: "123", 5: "12345", 6: "12345", 8: "12345\n67", 12: "12345\n6789\nx"} {
		data, _, err := joinFiles(dir, limit, all, func([]byte) bool { return true })
		if err != nil || string(data) != want {
			t.Errorf("limit %d: %q, %v; want %q", limit, data, err, want)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, dir+"/empty.txt", "")
	write(t, dir+"/only-binary/x", "\x00")
	for path, want := range map[string]string{
		"":                   "no corpus is named",
		dir + "/absent":      "neither a file nor a folder",
		dir + "/empty.txt":   "is empty",
		dir + "/only-binary": "holds no text",
		"/dev/null":          "is a device",
	} {
		if _, err := OpenText(path); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: error %v, want %q", path, err, want)
		}
	}
}

func TestOpenUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may read everything")
	}
	dir := t.TempDir()
	write(t, dir+"/closed", "x")
	if err := os.Chmod(dir+"/closed", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenText(dir + "/closed"); err == nil || !strings.Contains(err.Error(), "permission") {
		t.Errorf("unreadable file: %v", err)
	}
}

// toolchain makes a GOROOT and hides the real one.
func toolchain(t *testing.T) string {
	root := t.TempDir()
	t.Setenv("PATH", "")
	t.Setenv("GOROOT", root)
	return root
}

func TestGoSource(t *testing.T) {
	root := toolchain(t)
	body := strings.Repeat("// A line of a comment.\n", 1<<16)
	write(t, root+"/VERSION", "go1.99.1\ntime 2030-01-01T00:00:00Z\n")
	write(t, root+"/src/alpha/alpha.go", "package alpha\n"+body)
	write(t, root+"/src/beta/beta.go", "package beta\n")
	for _, out := range []string{"alpha/alpha_test.go", "alpha/testdata/a.go", "cmd/go/main.go", "vendor/x/x.go", "alpha/README"} {
		write(t, root+"/src/"+out, "package out\n")
	}
	write(t, root+"/src/alpha/tables.go", "// Code generated by maketables. DO NOT EDIT.\n\npackage out\n")
	x, err := OpenText("go")
	if err != nil {
		t.Fatal(err)
	}
	if want := "package alpha\n" + body + "\npackage beta\n"; string(x.Data) != want {
		t.Errorf("%d bytes ending in %q, want %d", len(x.Data), x.Data[max(0, len(x.Data)-60):], len(want))
	}
	if x.Name != "go" || x.Source != "Go 1.99.1 standard library source" {
		t.Errorf("name %q, source %q", x.Name, x.Source)
	}
}

func TestGoFallsBackToGrammar(t *testing.T) {
	root := toolchain(t)
	for what, set := range map[string]func(){
		"no toolchain": func() { t.Setenv("GOROOT", "") },
		"no source":    func() { t.Setenv("GOROOT", root) },
	} {
		set()
		x, err := OpenText("go")
		if err != nil {
			t.Fatal(err)
		}
		if x.Name != "grammar" || !strings.Contains(x.Source, "stands in for Go's standard library") {
			t.Errorf("%s: name %q, source %q", what, x.Name, x.Source)
		}
	}
}

func TestNGramByHand(t *testing.T) {
	train := []byte("aabab")
	p0 := func(n float64) float64 { return (n + 2.0/256) / (5 + 2) } // 3 a, 2 b: 2 different bytes
	// After a: a once, b twice. After b: a once.
	ab := (2 + 2*p0(2)) / (3 + 2)
	ba := (1 + 1*p0(3)) / (1 + 1)
	for _, c := range []struct {
		order int
		want  float64
	}{
		{0, -(2*math.Log2(p0(3)) + math.Log2(p0(2))) / 3},
		{1, -(math.Log2(p0(3)) + math.Log2(ab) + math.Log2(ba)) / 3},
	} {
		if got := NGramBPB(train, []byte("aba"), c.order); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("order %d: %v bits per byte, want %v", c.order, got, c.want)
		}
	}
}

func TestNGramLimits(t *testing.T) {
	noise := make([]byte, 1<<17)
	for i := range noise {
		noise[i] = byte(hash(7, uint64(i)))
	}
	if got := NGramBPB(noise[:1<<16], noise[1<<16:], 0); got < 8 || got > 8.02 {
		t.Errorf("noise costs %v bits per byte", got)
	}
	cycle := bytes.Repeat([]byte("xyzxx"), 4000) // what follows x depends on two bytes
	if got := NGramBPB(cycle, cycle[:1000], 2); got > 0.6 {
		t.Errorf("order 2 on a cycle: %v bits per byte", got)
	}
	x, err := OpenText("grammar")
	if err != nil {
		t.Fatal(err)
	}
	train, val := x.Split(0.1)
	if o0, o2 := NGramBPB(train, val, 0), NGramBPB(train, val, 2); o2 > 0.7*o0 {
		t.Errorf("grammar: %v bits per byte with order 0, %v with order 2", o0, o2)
	}
}
