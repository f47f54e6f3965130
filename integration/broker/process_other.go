//go:build !linux

package broker

import (
	"errors"
	"syscall"
)

// childAttributes: elsewhere a child outlives a test process that is killed.
func childAttributes() *syscall.SysProcAttr { return nil }

// Suspend stops a child where it is, or lets it go on.
func Suspend(int, bool) error { return errors.New("a process can be paused on Linux only") }
