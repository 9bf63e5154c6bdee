package kafkatest

import (
	"testing/synctest"
	"time"
)

// Pass lets time pass in a bubble, and blocks until everything has happened that is due at its end. After time.Sleep
// alone, what the program does at that moment may be undone, half done or done. One goroutine may call it at a time.
func Pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
