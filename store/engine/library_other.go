//go:build !linux && !darwin

package engine

import (
	"errors"
	"runtime"
)

// There is no ClickHouse engine library for this platform, so every call ends at openLibrary.
type (
	library struct{}
	handle  struct{ spoilt bool }
	result  struct{}
)

var errPlatform = errors.New("there is no embedded engine for " + runtime.GOOS + ": point clickhouse.addr at a ClickHouse server")

func openLibrary(string) (*library, error)                     { return nil, errPlatform }
func (*library) connect([]string) (*handle, error)             { return nil, errPlatform }
func (*handle) close()                                         {}
func (*handle) query(string, string, []param) (result, error)  { return result{}, errPlatform }
func (*handle) stream(string, string, []param) (result, error) { return result{}, errPlatform }
func (*handle) fetch(result) (result, error)                   { return result{}, errPlatform }
func (*handle) abandon(result)                                 {}
func (result) bytes() []byte                                   { return nil }
func (result) free()                                           {}
