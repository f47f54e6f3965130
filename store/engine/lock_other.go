//go:build !linux && !darwin

package engine

import (
	"os"
	"syscall"
)

func tryLock(*os.File) (bool, error) { return false, errPlatform }

func ownGroup() *syscall.SysProcAttr { return nil }
