// Command gguf writes a language model that has learned nothing: a GGUF file of version 3 with the llama architecture, 32 wide, one layer, and
// weights at random from a seed. It is less than a megabyte and entirely ours. A server that runs it answers in whatever shape its grammar
// forces and means nothing by it, which is what the verifier has to stand.
//
// Its vocabulary is bytes, letters and the words of a text on standard input: what it says is made of the words it is asked with, which is harder to
// see through than letters, and what it is asked is fewer tokens. Half of its tokens end a string, so that it comes to an end.
package main

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// The shape of the model.
const (
	width     = 32
	layers    = 1
	heads     = 2
	inner     = 64
	words     = 300
	context   = 16384
	alignment = 32
)

// The types of values in a GGUF file.
const (
	typeUint32  = 4
	typeInt32   = 5
	typeFloat32 = 6
	typeString  = 8
	typeArray   = 9
)

func main() {
	seed, err := uint64(0), errors.New("no seed")
	if len(os.Args) == 3 {
		seed, err = strconv.ParseUint(os.Args[2], 10, 64)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "usage: gguf FILE SEED < TEXT")
		os.Exit(2) //nolint:forbidigo // This is a main package, though not below cmd.
	}
	spoken, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = os.WriteFile(os.Args[1], model(vocabularyOf(string(spoken)), seed), 0o600)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1) //nolint:forbidigo // As above.
	}
}

// file is a GGUF file in the making.
type file struct {
	meta    bytes.Buffer
	keys    uint64
	infos   bytes.Buffer
	tensors uint64
	data    bytes.Buffer
	random  *rand.Rand
}

func put(b *bytes.Buffer, v any) { _ = binary.Write(b, binary.LittleEndian, v) } // a bytes.Buffer takes everything

func text(b *bytes.Buffer, s string) {
	put(b, uint64(len(s)))
	b.WriteString(s)
}

func (f *file) key(name string, kind uint32, v any) {
	f.keys++
	text(&f.meta, name)
	put(&f.meta, kind)
	if s, ok := v.(string); ok {
		text(&f.meta, s)
		return
	}
	put(&f.meta, v)
}

func (f *file) list(name string, kind uint32, n int, each func(i int)) {
	f.keys++
	text(&f.meta, name)
	put(&f.meta, uint32(typeArray))
	put(&f.meta, kind)
	put(&f.meta, uint64(n))
	for i := range n {
		each(i)
	}
}

// tensor adds a matrix of numbers at random, or of ones for a norm.
func (f *file) tensor(name string, norm bool, dims ...uint64) {
	f.tensors++
	text(&f.infos, name)
	put(&f.infos, uint32(len(dims)))
	size := uint64(1)
	for _, d := range dims {
		put(&f.infos, d)
		size *= d
	}
	put(&f.infos, uint32(0)) // F32
	put(&f.infos, uint64(f.data.Len()))
	for range size {
		v := float32(1)
		if !norm {
			v = float32(f.random.NormFloat64() / math.Sqrt(width))
		}
		put(&f.data, math.Float32bits(v))
	}
	for f.data.Len()%alignment != 0 {
		f.data.WriteByte(0)
	}
}

// token is a piece of text; kind is 2 for unknown, 3 control, 6 a byte, 1 text.
type token struct {
	text  string
	score float32
	kind  int32
}

// space is how the tokenizer writes one.
const space = "\u2581"

// vocabularyOf is bytes, letters, the most frequent words of a text, and words that end a string. The tokenizer puts words together from left to
// right, so every beginning of a word is a token as well.
func vocabularyOf(spoken string) []token {
	out := []token{{"<unk>", 0, 2}, {"<s>", 0, 3}, {"</s>", 0, 3}}
	for i := range 256 {
		out = append(out, token{fmt.Sprintf("<0x%02X>", i), 0, 6})
	}
	known := map[string]bool{}
	add := func(text string) {
		if !known[text] {
			known[text] = true
			out = append(out, token{text, -float32(len(out)), 1})
		}
	}
	add(space)
	for c := rune(0x20) + 1; c < 0x7f; c++ {
		add(string(c))
	}
	frequent := frequentWords(spoken)
	for _, w := range frequent {
		letters := []rune(w)
		for n := 2; n <= len(letters); n++ {
			add(string(letters[:n]))
		}
	}
	for _, end := range []string{`"`, `."`, `s"`} {
		for _, w := range frequent {
			add(w + end)
		}
	}
	return out
}

var wordPattern = regexp.MustCompile(` ?[A-Za-z]{2,14}`)

// frequentWords are the words a text has most often, with the space before them.
func frequentWords(spoken string) []string {
	count := map[string]int{}
	for _, w := range wordPattern.FindAllString(spoken, -1) {
		count[strings.Replace(w, " ", space, 1)]++
	}
	out := slices.SortedFunc(maps.Keys(count), func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	return out[:min(words, len(out))]
}

func model(tokens []token, seed uint64) []byte {
	vocabulary := len(tokens)
	f := &file{random: rand.New(rand.NewPCG(20261121, seed))}
	f.key("general.architecture", typeString, "llama")
	f.key("general.name", typeString, "tocsin random")
	f.key("general.alignment", typeUint32, uint32(alignment))
	f.key("llama.context_length", typeUint32, uint32(context))
	f.key("llama.embedding_length", typeUint32, uint32(width))
	f.key("llama.block_count", typeUint32, uint32(layers))
	f.key("llama.feed_forward_length", typeUint32, uint32(inner))
	f.key("llama.rope.dimension_count", typeUint32, uint32(width/heads))
	f.key("llama.attention.head_count", typeUint32, uint32(heads))
	f.key("llama.attention.head_count_kv", typeUint32, uint32(heads))
	f.key("llama.attention.layer_norm_rms_epsilon", typeFloat32, float32(1e-5))
	f.key("llama.vocab_size", typeUint32, uint32(vocabulary))
	f.key("tokenizer.ggml.model", typeString, "llama")
	f.list("tokenizer.ggml.tokens", typeString, vocabulary, func(i int) { text(&f.meta, tokens[i].text) })
	f.list("tokenizer.ggml.scores", typeFloat32, vocabulary, func(i int) { put(&f.meta, tokens[i].score) })
	f.list("tokenizer.ggml.token_type", typeInt32, vocabulary, func(i int) { put(&f.meta, tokens[i].kind) })
	f.key("tokenizer.ggml.bos_token_id", typeUint32, uint32(1))
	f.key("tokenizer.ggml.eos_token_id", typeUint32, uint32(2))
	f.key("tokenizer.ggml.unknown_token_id", typeUint32, uint32(0))
	f.tensor("token_embd.weight", false, width, uint64(vocabulary))
	for l := range layers {
		b := fmt.Sprintf("blk.%d.", l)
		f.tensor(b+"attn_norm.weight", true, width)
		for _, m := range []string{"attn_q", "attn_k", "attn_v", "attn_output"} {
			f.tensor(b+m+".weight", false, width, width)
		}
		f.tensor(b+"ffn_norm.weight", true, width)
		f.tensor(b+"ffn_gate.weight", false, width, inner)
		f.tensor(b+"ffn_up.weight", false, width, inner)
		f.tensor(b+"ffn_down.weight", false, inner, width)
	}
	f.tensor("output_norm.weight", true, width)
	f.tensor("output.weight", false, width, uint64(vocabulary))
	var out bytes.Buffer
	out.WriteString("GGUF")
	put(&out, uint32(3))
	put(&out, f.tensors)
	put(&out, f.keys)
	out.Write(f.meta.Bytes())
	out.Write(f.infos.Bytes())
	for out.Len()%alignment != 0 {
		out.WriteByte(0)
	}
	out.Write(f.data.Bytes())
	return out.Bytes()
}
