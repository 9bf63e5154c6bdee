//go:build !race && synctests

package worker_test

// raced is whether the race detector runs, under which tests take several times as long.
const raced = false
