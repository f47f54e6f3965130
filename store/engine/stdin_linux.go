package engine

import "syscall"

// dup2 is dup3 because not every architecture has dup2.
func dup2(from, to int) error { return syscall.Dup3(from, to, 0) }
