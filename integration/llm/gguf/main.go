// Command gguf writes a language model that has learned nothing: a GGUF file of version 3 with the llama architecture, 64 wide, two layers, a
// vocabulary of bytes, and weights at random from a fixed seed. It is half a megabyte and entirely ours. A server that runs it answers in whatever
// shape its grammar forces and means nothing by it, which is what the verifier has to stand.
package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
)

// The shape of the model.
const (
	width      = 64
	layers     = 2
	heads      = 4
	inner      = 128
	specials   = 3 // unknown, beginning and end
	letters    = 95
	vocabulary = specials + 256 + letters
	context    = 16384
	alignment  = 32
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
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gguf FILE")
		os.Exit(2) //nolint:forbidigo // This is a main package, though not below cmd.
	}
	if err := os.WriteFile(os.Args[1], model(), 0o600); err != nil {
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

// word is the text, the score and the kind of a token: 2 unknown, 3 control, 6 a byte, 1 a letter.
func word(i int) (string, float32, int32) {
	switch {
	case i < specials:
		return [...]string{"<unk>", "<s>", "</s>"}[i], 0, [...]int32{2, 3, 3}[i]
	case i < specials+256:
		return fmt.Sprintf("<0x%02X>", i-specials), 0, 6
	case i == specials+256:
		return "\u2581", -1, 1 // how the tokenizer writes a space
	}
	return string(rune(0x20 + i - specials - 256)), -float32(i), 1
}

func model() []byte {
	f := &file{random: rand.New(rand.NewPCG(20261121, 4))}
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
	f.list("tokenizer.ggml.tokens", typeString, vocabulary, func(i int) { s, _, _ := word(i); text(&f.meta, s) })
	f.list("tokenizer.ggml.scores", typeFloat32, vocabulary, func(i int) { _, s, _ := word(i); put(&f.meta, s) })
	f.list("tokenizer.ggml.token_type", typeInt32, vocabulary, func(i int) { _, _, k := word(i); put(&f.meta, k) })
	f.key("tokenizer.ggml.bos_token_id", typeUint32, uint32(1))
	f.key("tokenizer.ggml.eos_token_id", typeUint32, uint32(2))
	f.key("tokenizer.ggml.unknown_token_id", typeUint32, uint32(0))
	f.tensor("token_embd.weight", false, width, vocabulary)
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
	f.tensor("output.weight", false, width, vocabulary)
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
