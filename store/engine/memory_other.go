//go:build !linux

package engine

import (
	"errors"
	"os"
)

// memoryFile, mapMemory and growMemory are for Linux alone.
func memoryFile() (*os.File, string, error) { return nil, "", errors.ErrUnsupported }

func mapMemory(*os.File, int64) ([]byte, error) { return nil, errors.ErrUnsupported }

func unmapMemory([]byte) {}

func growMemory(*os.File, int64, int64) error { return errors.ErrUnsupported }
