//go:build !linux && !darwin

package engine

import "os"

func duplicate(f *os.File) (*os.File, error) { return f, nil }

func replaceStdin(*os.File) error { return errPlatform }
