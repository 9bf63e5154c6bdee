// Package cputime measures in tests how much of the processor a call takes. What else runs on the machine changes it
// little, while the time on a clock may be a hundred times as long. A kernel counts some milliseconds late: measure more than that.
package cputime

import (
	"runtime"
	"syscall"
	"time"
)

// Of returns the CPU time of a call, without that of goroutines that it starts.
func Of(call func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	return during(syscall.RUSAGE_THREAD, call)
}

// OfProcess returns the CPU time of the process during a call: for a test that does not run in parallel with others.
func OfProcess(call func()) time.Duration { return during(syscall.RUSAGE_SELF, call) }

func during(who int, call func()) time.Duration {
	before := used(who)
	call()
	return used(who) - before
}

func used(who int) time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(who, &u) // never fails for the process itself
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
