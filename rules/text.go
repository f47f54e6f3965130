package rules

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"sync"

	"go.yaml.in/yaml/v3"
)

// text is what a set was read from, packed when it is first asked for.
type text struct {
	once      sync.Once
	files     [][]byte // In the order in which they were read.
	documents []Document
	packed    []byte
}

// Text is what the set was read from, in a form that OfText reads again: files, exceptions and imported documents. It is meant to be kept where the
// files may have changed by the time it is needed. Empty for a set that was not loaded, or whose documents cannot be written down.
func (s *Set) Text() []byte {
	if s.text == nil {
		return nil
	}
	s.text.once.Do(func() {
		s.text.packed = s.text.pack()
		s.text.files, s.text.documents = nil, nil
	})
	return s.text.packed
}

// pack writes an archive of numbered files, which are read in that order.
func (t *text) pack() []byte {
	list := t.files
	for _, d := range t.documents {
		b, err := yaml.Marshal(d.Node)
		if err != nil {
			return nil
		}
		list = append(list, b)
	}
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	press, err := flate.NewWriter(nil, flate.BestSpeed) // One for all files, which are written one after the other: a writer has a third of a megabyte.
	if err != nil {
		return nil
	}
	z.RegisterCompressor(zip.Deflate, func(w io.Writer) (io.WriteCloser, error) {
		press.Reset(w)
		return press, nil
	})
	for i, b := range list {
		f, err := z.Create(fmt.Sprintf("%08d.yaml", i))
		if err != nil {
			return nil
		}
		if _, err := f.Write(b); err != nil {
			return nil
		}
	}
	if err := z.Close(); err != nil {
		return nil
	}
	return out.Bytes()
}

// OfText reads a set from what Text gave. Its hash is that of the set before, unless this program reads rules in another way. Files have other names.
func OfText(b []byte) (*Set, error) {
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, fmt.Errorf("the text of a set of rules: %w", err)
	}
	set, problems := Load(z, ".")
	if set != nil {
		return set, nil
	}
	for _, p := range problems {
		if p.Severity == Error {
			return nil, fmt.Errorf("the text of a set of rules: %s", p)
		}
	}
	return nil, errors.New("the text of a set of rules cannot be read")
}
