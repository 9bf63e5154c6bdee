//go:build synctests

package config

import (
	"context"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

func TestTheEchoOfASignalDoesNotKill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		signals, killed := make(chan os.Signal, 1), make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		go func() { // ends when signals kill
			first(signals, cancel)
			close(killed)
		}()
		signals <- syscall.SIGTERM
		<-ctx.Done()
		time.Sleep(echo - 1)
		select {
		case <-killed:
			t.Errorf("another signal kills within %s of the first", echo)
		default:
		}
		<-killed
	})
}
