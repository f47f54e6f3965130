//go:build !linux

package engine

import (
	"errors"
	"os"
)

// memoryFile is for Linux alone.
func memoryFile() (*os.File, string, error) { return nil, "", errors.ErrUnsupported }
