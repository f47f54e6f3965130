package engine

import (
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
)

// body is the data of an insert, where the library can read it.
type body struct {
	path string
	size int64
	// drop ends it. read says that the library has read all of it and wants no more.
	drop func(read bool)
}

// keep takes an insert's data. The caller drops it when the engine has read it. Most inserts are small and many, and a file on a disk for each costs
// more than its bytes: a file system without a journal (ext4 so) does not take a removed file's place again for minutes, and steps over all such
// places whenever a file is made anywhere near, so also for each of the dozen files of a part. Therefore data goes to memory as far as there is room,
// and what is longer goes to a file in the data directory.
func (s *server) keep(q request) (body, error) {
	m, err := s.memory.take(q.text[:q.splice])
	if err != nil {
		return s.keepFile(q.data)
	}
	size, whole, err := m.fill(q.data)
	switch {
	case err != nil:
		s.memory.drop(m)
		return body{}, copyFailure(err)
	case !whole:
		defer s.memory.drop(m)
		return s.keepFile(io.MultiReader(io.NewSectionReader(m.file, 0, size), q.data))
	}
	return body{path: m.path, size: size, drop: func(read bool) {
		if read {
			s.memory.put(m)
		} else {
			s.memory.drop(m)
		}
	}}, nil
}

func (s *server) keepFile(data io.Reader) (body, error) {
	path := filepath.Join(s.inserts, "insert-"+rand.Text())
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return body{}, keepFailure(err)
	}
	b := body{path: path, drop: func(bool) { _ = os.Remove(path) }}
	b.size, err = io.Copy(file, data)
	if err != nil {
		err = copyFailure(err)
	}
	if closed := file.Close(); err == nil && closed != nil {
		err = keepFailure(closed)
	}
	if err != nil {
		b.drop(false)
		return body{}, err
	}
	return b, nil
}

// copyFailure tells what could not be written from what could not be read.
func copyFailure(err error) error {
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return keepFailure(err)
	}
	return bodyFailure(err)
}

func keepFailure(err error) error {
	if errors.Is(err, syscall.ENOSPC) {
		return failf(http.StatusInternalServerError, 243, "NOT_ENOUGH_SPACE", "the insert's data could not be kept: %v", err)
	}
	return failf(http.StatusInternalServerError, 76, "CANNOT_OPEN_FILE", "the insert's data could not be kept: %v", err)
}
