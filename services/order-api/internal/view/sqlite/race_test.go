//go:build race

package sqlite

// slower is how many times as long a query may take: SQLite is Go code here, and the race detector
// follows each of its accesses.
const slower = 40
