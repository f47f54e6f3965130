package engine

import (
	"bytes"
	"crypto/rand"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
)

// inMemory is how many bytes of an insert's data may stay in memory until the engine has read them. Behind that they go to a file in the data
// directory. Most inserts are small and many, and a file for each costs more than its bytes: a file system without a journal (ext4 so) does not take
// a removed file's place again for minutes, and steps over all such places whenever a file is made anywhere near, so also for each of the dozen files
// of a part.
const inMemory = 8 << 20

// body is the data of an insert, where the library can read it.
type body struct {
	path string
	size int64
	drop func()
}

// keep takes an insert's data. The caller drops it when the engine has read it.
func (s *server) keep(data io.Reader) (body, error) {
	f, path, err := memoryFile()
	if err != nil {
		return s.keepFile(data)
	}
	b := body{path: path, drop: func() { _ = f.Close() }}
	if b.size, err = io.Copy(f, io.LimitReader(data, inMemory)); err != nil {
		b.drop()
		return body{}, copyFailure(err)
	}
	var more [1]byte
	n, err := io.ReadFull(data, more[:])
	switch {
	case errors.Is(err, io.EOF):
		return b, nil
	case err != nil:
		b.drop()
		return body{}, copyFailure(err)
	}
	defer b.drop()
	return s.keepFile(io.MultiReader(io.NewSectionReader(f, 0, b.size), bytes.NewReader(more[:n]), data))
}

func (s *server) keepFile(data io.Reader) (body, error) {
	path := filepath.Join(s.inserts, "insert-"+rand.Text())
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return body{}, keepFailure(err)
	}
	b := body{path: path, drop: func() { _ = os.Remove(path) }}
	b.size, err = io.Copy(file, data)
	if err != nil {
		err = copyFailure(err)
	}
	if closed := file.Close(); err == nil && closed != nil {
		err = keepFailure(closed)
	}
	if err != nil {
		b.drop()
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
