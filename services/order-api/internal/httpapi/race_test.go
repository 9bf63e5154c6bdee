//go:build race

package httpapi_test

// raced is whether the race detector runs, which needs several times the memory.
const raced = true
