//go:build unix

package tail

import (
	"os"
	"syscall"
)

// inodeOf returns what stays the same when a file is renamed.
func inodeOf(st os.FileInfo) uint64 {
	if s, ok := st.Sys().(*syscall.Stat_t); ok {
		return uint64(s.Ino) //nolint:unconvert // narrower on some systems
	}
	return 0
}
