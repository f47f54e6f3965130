package roles_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// used is the CPU time of a process until now, of itself and in the kernel; 0 where there is no /proc.
func used(pid int) time.Duration {
	const userHertz = 100 // Of the kernel's interface, whatever its own clock does.
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(data), ") ")
	words := strings.Fields(rest)
	if len(words) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(words[11], 10, 64)
	system, _ := strconv.ParseInt(words[12], 10, 64)
	return time.Duration(user+system) * time.Second / userHertz
}
