//go:build !unix

package tail

import "os"

// inodeOf returns 0: this system names no file but by its path.
func inodeOf(os.FileInfo) uint64 { return 0 }
