package config

import (
	"os"
	"runtime/debug"
)

// Heap sets by how many percent of what is live the heap grows between two garbage collections, and the
// soft memory limit of the Go runtime in bytes; zero is no limit. GOGC and GOMEMLIMIT override them.
func Heap(growth int, limit int64) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(growth)
	}
	if os.Getenv("GOMEMLIMIT") == "" && limit > 0 {
		debug.SetMemoryLimit(limit)
	}
}
