package tokenizer

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"runtime/metrics"
	"strings"
	"testing"
)

// allocated is the number of bytes allocated since the program started.
func allocated() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// fuzzed reads a vocabulary of size bytes, checks that the cost is
// proportional, and checks the rules that every vocabulary must obey.
func fuzzed(t *testing.T, size int, read func() (Tokenizer, error)) {
	var tok Tokenizer
	var err error
	cost, limit := uint64(math.MaxUint64), 4<<20+1024*uint64(size)
	for range 3 { // the counter covers the whole process: allocations of others do not repeat
		if cost > limit {
			before := allocated()
			tok, err = read()
			cost = min(cost, allocated()-before)
		}
	}
	if cost > limit {
		t.Fatalf("%d bytes were allocated for a vocabulary of %d", cost, size)
	}
	if err != nil {
		if strings.Contains(err.Error(), "\n") || len(err.Error()) > 1000 {
			t.Fatalf("a long error: %v", err)
		}
		return
	}
	if end, ok := End(tok); ok && (end < 0 || int(end) >= tok.Vocab()) {
		t.Fatalf("a text ends with token %d of %d", end, tok.Vocab())
	}
	for _, text := range []string{"Hello, wörld\t ab\n\n", "\xff\x00<s>"} {
		ids, err := tok.Encode(nil, []byte(text))
		if err != nil {
			continue // byte 0xff, which BPE may lack
		}
		for _, id := range ids {
			if id < 0 || int(id) >= tok.Vocab() {
				t.Fatalf("%q: token %d of %d", text, id, tok.Vocab())
			}
		}
		if b, ok := tok.(*bpe); ok && (b.compose || b.prefix) {
			continue // the text may change
		}
		if got := Decode(tok, ids); string(got) != text {
			t.Fatalf("%q came back as %q", text, got)
		}
	}
}

// seedFile adds the first bytes of a file beside the project to the corpus.
func seedFile(f *testing.F, path string, most int) {
	if b, err := os.ReadFile(filepath.Join("../../../shared/data", path)); err == nil {
		f.Add(b[:min(len(b), most)])
	}
}

func FuzzWorld(f *testing.F) {
	f.Add(tiny())
	f.Add([]byte("1 'a' 1\r\n2 b'\\xff' 1\n900 '\\u00e4\\U0001f600' 6\n"))
	seedFile(f, "rwkv.cpp/"+worldFile, 4096)
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzed(t, len(data), func() (Tokenizer, error) { return parseWorld(data) })
	})
}

func FuzzTokenizerJSON(f *testing.F) {
	f.Add([]byte(tinyBPE("")))
	f.Add([]byte(tinyBPE(`["a","a"]`)))
	f.Add([]byte(`{"model":{"type":"BPE","vocab":{"a":4000000}},"pre_tokenizer":{"type":"ByteLevel"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzed(t, len(data), func() (Tokenizer, error) { return parseBPE(data) })
	})
}

// FuzzGGUF reads lines as tokens, and lines after an empty one as merges; the
// first byte selects the kind of vocabulary.
func FuzzGGUF(f *testing.F) {
	add := func(kind string, s Stored) {
		f.Add([]byte(kind + strings.Join(s.Tokens, "\n") + "\n\n" + strings.Join(s.Merges, "\n")))
	}
	add("0", storedWorld())
	add("1", storedBPE())
	f.Add([]byte("2<s>\n\\xff\n\\n\\\n[PAD3]\n\\x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		s := Stored{Model: "rwkv", EOS: int(data[0]) - 40}
		if data[0]&1 != 0 {
			s.Model = "gpt2"
		}
		tokens, merges, _ := bytes.Cut(data[1:], []byte("\n\n"))
		s.Tokens, s.Merges = strings.Split(string(tokens), "\n"), strings.Split(string(merges), "\n")
		if len(merges) == 0 {
			s.Merges = nil
		}
		if data[0]&2 != 0 {
			for i := range s.Tokens {
				s.Types = append(s.Types, int32(data[i%len(data)])%7)
			}
		}
		fuzzed(t, len(data), func() (Tokenizer, error) { return FromGGUF(s) })
	})
}

func FuzzEncode(f *testing.F) {
	w, _ := parse(tiny())
	b, _ := parse([]byte(tinyBPE("")))
	b.(*bpe).compose = false // composing changes the bytes
	f.Add([]byte("ababab it's<end>  \xff"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, tok := range []Tokenizer{w, b} {
			if got := Decode(tok, encode(t, tok, text)); !bytes.Equal(got, text) {
				t.Errorf("%T: %q came back as %q", tok, text, got)
			}
		}
	})
}
