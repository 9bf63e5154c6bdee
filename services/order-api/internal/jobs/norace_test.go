//go:build !race && synctests

package jobs_test

// raced is whether the race detector runs.
const raced = false
