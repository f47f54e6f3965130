package ingest

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/ingest/format"
)

// cutStream feeds data in pieces and collects the records; context lines are written before a bar.
func cutStream(framing format.Framing, pieces ...string) []string {
	f := newFramer(framing)
	var out []string
	var pending []byte
	for i, p := range pieces {
		pending = append(pending, p...)
		for len(pending) > 0 {
			fr, ok := f.cut(pending, i == len(pieces)-1)
			if ok {
				s := string(pending[fr.start:fr.end])
				if fr.context != nil {
					s = strings.TrimSuffix(string(fr.context), "\n") + "|" + s
				}
				out = append(out, s)
			}
			pending = pending[fr.next:]
			if !ok {
				break
			}
		}
	}
	return out
}

func TestFramingCutsRecords(t *testing.T) {
	f := func(framing format.Framing, input string, want ...string) {
		t.Helper()
		if d := cmp.Diff(want, cutStream(framing, input)); d != "" {
			t.Errorf("%q:\n%s", input, d)
		}
	}
	f(format.Lines, "a\r\n\n  \nb\nlast", "a", "b", "last")
	f(format.Lines, "")
	f(format.LinesDense, "head\n\tone\n\ttwo\nnext\n", "head\n\tone\n\ttwo", "next")
	f(format.Columns, "#fields\ta\n#types\tx\n1\n2\n#close\n#separator x\n#fields\tb\n3\n", "#fields\ta\n#types\tx|1", "#fields\ta\n#types\tx|2", "#separator x\n#fields\tb|3")
	f(format.Columns, "id,text\n1,\"two\nlines\"\n2,x\n", "id,text|1,\"two\nlines\"", "id,text|2,x")
	f(format.Columns, "{\"a\":1}\n{\"b\":2}\n", `{"a":1}`, `{"b":2}`)
	f(format.JSONValues, "[{\"a\":\"}\"},\n {\"b\":[1,{}]}]\n{\"c\":1}{\"d\":2}", `{"a":"}"}`, `{"b":[1,{}]}`, `{"c":1}`, `{"d":2}`)
	f(format.JSONValues, "garbage\n{\"a\":1}", "garbage", `{"a":1}`)
	f(format.JSONValues, `{"unfinished":`, `{"unfinished":`)
	f(format.JSONValues, "{\"a\":\n[\n{\"b\":1},\n{\"c\":{\n\"d\":2}}]}\n{\"e\":3}", "{\"a\":\n[\n{\"b\":1},\n{\"c\":{\n\"d\":2}}]}", `{"e":3}`)
}

// A writer that dies in the middle of a line costs that line and not all that follow.
func TestAnObjectThatBreaksOffEndsWithItsLine(t *testing.T) {
	for _, torn := range []string{`{"a": 1, `, `{"a": {"b": [1, 2`, `{"a": "half a str`, `{"a": 1`, `{"a`, `{`, `{"a": [{"b": 2}`, `{"a":{"b":1},`} {
		got := cutStream(format.JSONValues, "{\"x\":1}\n"+torn+"\n{\"y\":{\"z\":[{}]}}\n{\"w\":2}\n")
		if d := cmp.Diff([]string{`{"x":1}`, torn, `{"y":{"z":[{}]}}`, `{"w":2}`}, got); d != "" {
			t.Errorf("%q:\n%s", torn, d)
		}
	}
}

func TestFramingDoesNotDependOnHowTheStreamIsCut(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	inputs := map[format.Framing]string{
		format.Lines:      "one\ntwo\r\n\nthree",
		format.LinesDense: "a\n b\n c\nd\n e\nf\n",
		format.Columns:    "#separator \\x09\n#fields\ta\tb\n1\t2\n3\t4\n#close\n",
		format.JSONValues: `[{"a":"\"}"},{"b":{"c":[1,2]}}]` + "\n" + `{"d":1}`,
	}
	for framing, input := range inputs {
		want := cutStream(framing, input)
		for range 200 {
			var pieces []string
			for rest := input; rest != ""; {
				n := 1 + r.IntN(len(rest))
				pieces = append(pieces, rest[:n])
				rest = rest[n:]
			}
			if d := cmp.Diff(want, cutStream(framing, append(pieces, "")...)); d != "" {
				t.Fatalf("seed %d, framing %d, pieces %q:\n%s", seed, framing, pieces, d)
			}
		}
	}
}

func TestAnOversizeRecordIsCutAndTheNextOneSurvives(t *testing.T) {
	long := strings.Repeat("x", MaxRecord+10)
	f := newFramer(format.Lines)
	data := []byte(long + "\nnext\n")
	fr, ok := f.cut(data, false)
	if !ok || !fr.partial || fr.end-fr.start != MaxRecord {
		t.Fatalf("first: %+v, %v", fr, ok)
	}
	data = data[fr.next:]
	fr, ok = f.cut(data, false)
	if !ok || string(data[fr.start:fr.end]) != "next" {
		t.Errorf("second: %q", data)
	}
}

func FuzzFramingLosesNoByteOfALine(f *testing.F) {
	f.Add([]byte("a\nb\n"), uint8(0))
	f.Add([]byte(`{"a":1}{"b":2}`), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, framing uint8) {
		got := cutStream(format.Framing(framing%4), string(data))
		if framing%4 != 0 {
			return
		}
		var want []string
		for line := range bytes.Lines(data) {
			line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
			if len(bytes.TrimSpace(line)) > 0 && len(line) <= MaxRecord {
				want = append(want, string(line))
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}
