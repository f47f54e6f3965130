//go:build !linux

package engine

import "context"

// calmMerges is for Linux alone.
func calmMerges(context.Context) {}

// niceThread is for Linux alone.
func niceThread(int) {}
