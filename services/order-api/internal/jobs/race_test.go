//go:build race && synctests

package jobs_test

// raced is whether the race detector runs, under which tests take several times as long.
const raced = true
