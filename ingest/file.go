package ingest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/gzip"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// pollEvery is how often a followed file is looked at when it has no more to read.
const pollEvery = 200 * time.Millisecond

// readBlock is how much is read at once; records alias the block.
const readBlock = 1 << 20

// FileConfig describes a file source.
type FileConfig struct {
	Name   string
	Path   string
	Follow bool
	Format *format.Format
	Site   string
	Zone   *time.Location
	From   event.End // Where a previous run stopped; the zero End starts at the beginning.
	Clock  func() int64
}

// File reads a file, once or for ever. Offsets count bytes since the source was first opened: rotation, by renaming or by truncation,
// does not reset them. What a renamed file still holds is read before the new one.
type File struct {
	cfg     FileConfig
	file    *os.File
	reader  io.Reader // the file, or its decompression
	frames  framer
	base    int64 // cumulative offset of the file's first byte
	offset  int64 // cumulative offset after the last record cut
	pending []byte
	ended   bool
	usual   int  // records in a block
	leaving bool // the file was replaced and is being read for the last time
	print   string
	lag     atomic.Int64
}

// OpenFile opens a file source. The error says what to check.
func OpenFile(cfg FileConfig) (*File, error) {
	s := &File{cfg: cfg, frames: newFramer(cfg.Format.Framing), offset: cfg.From.Offset}
	if err := s.resume(); err != nil {
		return nil, err
	}
	return s, nil
}

// resume opens the file where the previous run left it.
func (s *File) resume() error {
	cookie, known := parseCookie(s.cfg.From.Cookie)
	path := s.cfg.Path
	if known {
		if old := findRotated(path, cookie.print); old != "" {
			path = old
		} else {
			known = false
		}
	}
	if err := s.open(path); err != nil {
		return err
	}
	s.base = s.offset
	if known {
		s.base = cookie.base
		return s.seek(s.offset - s.base)
	}
	return nil
}

func (s *File) open(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("source %s: open %s: %w; check the path and that this user may read it", s.cfg.Name, path, errors.Unwrap(err))
	}
	if st, err := f.Stat(); err == nil && st.IsDir() {
		_ = f.Close()
		return fmt.Errorf("source %s: %s is a directory; name a file", s.cfg.Name, path)
	}
	s.file, s.reader = f, f
	s.print = fingerprint(f)
	s.frames.newFile()
	if strings.HasSuffix(path, ".gz") {
		if s.reader, err = gzip.NewReader(f); err != nil {
			_ = f.Close()
			return fmt.Errorf("source %s: %s is not gzip: %w", s.cfg.Name, path, err)
		}
	}
	return nil
}

// seek goes to an offset of the file, reading the header lines of column files on the way.
func (s *File) seek(to int64) error {
	if s.cfg.Format.Framing != format.Columns && s.reader == io.Reader(s.file) {
		_, err := s.file.Seek(to, io.SeekStart)
		return err
	}
	for done := int64(0); done < to; {
		block := make([]byte, min(readBlock, to-done))
		n, err := io.ReadFull(s.reader, block)
		done += int64(n)
		s.pending = append(s.pending, block[:n]...)
		for {
			fr, ok := s.frames.cut(s.pending, false)
			s.pending = s.pending[fr.next:]
			if !ok {
				break
			}
		}
		if err != nil {
			return nil // shorter than where we stopped: it was truncated, go on from its end
		}
	}
	s.pending = nil
	return nil
}

// Lag is how many bytes of the file have not been fetched, as of the last fetch. It may be asked from any goroutine.
func (s *File) Lag() int64 { return s.lag.Load() }

// measure notes the lag.
func (s *File) measure() {
	if st, err := s.file.Stat(); err == nil {
		s.lag.Store(max(0, st.Size()-(s.offset-s.base)))
	}
}

// Fetch implements Source.
func (s *File) Fetch(ctx context.Context, dst []event.Record, limit int, wait time.Duration) ([]event.Record, error) {
	defer s.measure()
	deadline := time.Now().Add(wait)
	start := len(dst)
	for {
		var err error
		if dst, err = s.read(dst, start+limit); err != nil || len(dst) > start {
			return dst, err
		}
		if s.ended {
			return dst, io.EOF
		}
		if !s.cfg.Follow {
			s.ended = true
			dst = s.cutAll(dst, start+limit, true)
			if len(dst) == start {
				return dst, io.EOF
			}
			return dst, nil
		}
		replaced, err := s.replaced()
		if err != nil {
			return dst, err
		}
		if replaced && s.leaving {
			dst = s.cutAll(dst, start+limit, true)
			return dst, s.change()
		}
		s.leaving = replaced
		if !time.Now().Before(deadline) {
			whole := s.frames.framing == format.LinesDense && bytes.HasSuffix(s.pending, []byte{'\n'})
			return s.cutAll(dst, start+limit, whole), nil
		}
		select {
		case <-ctx.Done():
			return dst, ctx.Err()
		case <-time.After(min(pollEvery, time.Until(deadline)+time.Millisecond)):
		}
	}
}

// read takes what the file has now, up to one block, and cuts it.
func (s *File) read(dst []event.Record, limit int) ([]event.Record, error) {
	if before := len(dst); true {
		if dst = s.cutAll(dst, limit, false); len(dst) > before {
			return dst, nil
		}
	}
	block := make([]byte, len(s.pending)+readBlock)
	kept := copy(block, s.pending)
	n, err := s.reader.Read(block[kept:])
	s.pending = block[:kept+n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return dst, fmt.Errorf("source %s: read %s: %w", s.cfg.Name, s.cfg.Path, err)
	}
	return s.cutAll(dst, limit, false), nil
}

// cutAll appends the complete records that are pending. final takes the last one even without its end.
func (s *File) cutAll(dst []event.Record, limit int, final bool) []event.Record {
	now := s.cfg.Clock()
	if dst == nil && len(s.pending) > readBlock/2 {
		dst = make([]event.Record, 0, min(limit, s.usual+s.usual/8)) // About as many as the block before held.
		defer func() { s.usual = len(dst) }()
	}
	for len(dst) < limit && len(s.pending) > 0 {
		fr, ok := s.frames.cut(s.pending, final)
		if ok {
			dst = append(dst, event.Record{
				Value: s.pending[fr.start:fr.end:fr.end], Context: fr.context, Format: s.cfg.Format.Name, Site: s.cfg.Site, Location: s.cfg.Zone,
				Position: event.Position{Source: s.cfg.Name, Offset: s.offset + int64(fr.start)}, Received: now, Partial: fr.partial,
			})
		}
		s.pending = s.pending[fr.next:]
		s.offset += int64(fr.next)
		if !ok {
			break
		}
	}
	return dst
}

// replaced reports whether the path no longer is the file that is open, or that file was truncated. The first time, the old file is read
// once more, since its writer may not have let go of it yet.
func (s *File) replaced() (bool, error) {
	here, err := s.file.Stat()
	if err != nil {
		return false, fmt.Errorf("source %s: %w", s.cfg.Name, err)
	}
	there, err := os.Stat(s.cfg.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil // between rename and create
	}
	if err != nil {
		return false, fmt.Errorf("source %s: %w", s.cfg.Name, err)
	}
	if !os.SameFile(here, there) {
		return true, nil
	}
	read, err := s.file.Seek(0, io.SeekCurrent)
	return err == nil && there.Size() < read, err
}

// change goes on with the file that now has the path.
func (s *File) change() error {
	_ = s.file.Close()
	s.offset += int64(len(s.pending))
	s.pending, s.leaving = nil, false
	s.base = s.offset
	return s.open(s.cfg.Path)
}

// Ends implements Source.
func (s *File) Ends() []event.End {
	return []event.End{{Source: s.cfg.Name, Offset: s.offset, Cookie: s.print + " " + strconv.FormatInt(s.base, 10)}}
}

// Commit implements Source; a file needs none, the log knows the place.
func (s *File) Commit(context.Context, []event.End) error { return nil }

// Close implements Source.
func (s *File) Close() error { return s.file.Close() }

type cookie struct {
	print string
	base  int64
}

func parseCookie(s string) (cookie, bool) {
	p, base, ok := strings.Cut(s, " ")
	n, err := strconv.ParseInt(base, 10, 64)
	return cookie{print: p, base: n}, ok && err == nil
}

// fingerprint tells files apart by their first bytes and how many of them it saw: length:hash.
func fingerprint(f *os.File) string {
	b := make([]byte, 256)
	n, _ := f.ReadAt(b, 0)
	return printOf(b[:n])
}

func printOf(b []byte) string {
	h := fnv.New64a()
	_, _ = h.Write(b)
	return strconv.Itoa(len(b)) + ":" + strconv.FormatUint(h.Sum64(), 16)
}

// findRotated finds the file with that fingerprint: the path itself, or a sibling it was renamed to.
func findRotated(path, print string) string {
	candidates, _ := filepath.Glob(path + "*")
	for _, p := range append([]string{path}, candidates...) {
		if samePrint(p, print) {
			return p
		}
	}
	return ""
}

// samePrint compares as many bytes as were there when the fingerprint was taken; the file may have grown since.
func samePrint(path, print string) bool {
	length, _, _ := strings.Cut(print, ":")
	n, err := strconv.Atoi(length)
	if err != nil || n < 0 || n > 256 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	b := make([]byte, n)
	if _, err := io.ReadFull(f, b); err != nil && n > 0 {
		return false
	}
	return printOf(b) == print
}
