//go:build !linux

package broker

import (
	"errors"
	"syscall"
)

// childAttributes: elsewhere a child outlives a test process that is killed.
func childAttributes() *syscall.SysProcAttr { return nil }

func suspend(int, bool) error { return errors.New("a broker can be paused on Linux only") }
