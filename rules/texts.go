package rules

import (
	"bytes"
	"io/fs"
	"time"
)

// Texts is rule files in memory by their names, as an fs.FS that Load reads: what an editor holds and no file has yet. It has no folders in it.
type Texts map[string][]byte

// Open implements fs.FS.
func (f Texts) Open(name string) (fs.File, error) {
	text, ok := f[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return &openText{*bytes.NewReader(text), name}, nil
}

// openText is one open file; it is its own fs.FileInfo.
type openText struct {
	bytes.Reader
	name string
}

// Close implements fs.File.
func (f *openText) Close() error { return nil }

// Stat implements fs.File.
func (f *openText) Stat() (fs.FileInfo, error) { return f, nil }

// Name implements fs.FileInfo.
func (f *openText) Name() string { return f.name }

// Mode implements fs.FileInfo.
func (f *openText) Mode() fs.FileMode { return 0o444 }

// ModTime implements fs.FileInfo.
func (f *openText) ModTime() time.Time { return time.Time{} }

// IsDir implements fs.FileInfo.
func (f *openText) IsDir() bool { return false }

// Sys implements fs.FileInfo.
func (f *openText) Sys() any { return nil }
