//go:build synctests

package worker_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/order"
)

// selfSigned is a certificate for a name, and the same in PEM format.
func selfSigned(t *testing.T, name string) (*tls.Certificate, []byte) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, public, private)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// lines is a log of several goroutines.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), part)
}

func TestWrongMailCertificateDelaysOrdersAndIsLoggedOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wrong, wrongPEM := selfSigned(t, "other.test")
		right, rightPEM := selfSigned(t, "mail.test")
		ca := filepath.Join(t.TempDir(), "ca.pem")
		if err := os.WriteFile(ca, append(wrongPEM, rightPEM...), 0o600); err != nil {
			t.Fatal(err)
		}
		var cert atomic.Pointer[tls.Certificate]
		cert.Store(wrong)
		s := openWith(t, inbox.Config{
			TLS:   &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return cert.Load(), nil }},
			Login: func(user, password string) bool { return user == "shop" && password == "correct" },
		})
		log := new(lines)
		s.place(t, orders(20)...)
		stop := s.work(t, func(c *worker.Config) {
			c.SMTPTLS, c.SMTPCA, c.SMTPUser, c.SMTPPassword = "required", ca, "shop", "correct"
			c.Log = slog.New(slog.NewTextHandler(log, nil))
		})
		time.Sleep(time.Hour)
		if got := count(s.States(t)); got[order.Waiting] < 19 || got[order.Waiting]+got[order.Mailing] != 20 {
			t.Errorf("after an hour: got %v, want all waiting", got)
		}
		if got := log.count("the names differ"); got != 1 {
			t.Errorf("got %d log lines with the cause, want one", got)
		}
		if log.count(`mail.test`) != 1 || log.count(`other.test`) != 1 {
			t.Errorf("got a log that does not name what was expected and found")
		}
		cert.Store(right)
		s.Await(t, ended(20))
		stop()
		s.confirmedOnce(t, 20)
	})
}
