//go:build !race

package main

// slowdown is what the race detector would cost.
const slowdown = 1
