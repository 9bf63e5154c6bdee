//go:build !race

package sqlite

// slower is how many times as long a query may take with the race detector.
const slower = 1
