package serve

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"example.com/orders/shared/config"
	"example.com/orders/shared/telemetry"
)

// maxPEM is the maximum size of a certificate or key file in bytes.
const maxPEM = 1 << 20

// Secure returns a listener for HTTPS on ln, with HTTP/2 and at least TLS 1.2. The certificate chain
// and the key are PEM files. They are read again when a client connects, at most once a second. If
// they cannot be used then, the log names them and the certificate that is in use stays. It is an
// error if they cannot be used now.
func Secure(ln net.Listener, cert, key string, log *slog.Logger) (net.Listener, error) {
	p := &pair{certFile: cert, keyFile: key, log: log}
	if err := p.load(); err != nil {
		return nil, err
	}
	return tls.NewListener(ln, &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, GetCertificate: p.certificate,
	}), nil
}

// pair is a certificate with its key, and the files that they are read from.
type pair struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	read    time.Time // when the files were read last
	texts   [2][]byte // what they contained then
	failed  string    // why they could not be used; or empty
	current *tls.Certificate
}

// certificate is called for each TLS handshake.
func (p *pair) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if time.Since(p.read) < time.Second {
		return p.current, nil
	}
	switch err := p.load(); {
	case err == nil:
		p.failed = ""
	case err.Error() != p.failed:
		p.failed = err.Error()
		p.log.Warn("TLS certificate not replaced: the old one stays in use", telemetry.Error, err)
	}
	return p.current, nil
}

// load reads the files, and replaces the certificate if they have changed. The content is compared:
// two changes within the resolution of a file time would look like one.
func (p *pair) load() error {
	p.read = time.Now()
	var texts [2][]byte
	for i, path := range []string{p.certFile, p.keyFile} {
		text, err := config.ReadFile(path, maxPEM)
		if err != nil {
			return fmt.Errorf("TLS certificate: %w", err)
		}
		texts[i] = text
	}
	if p.current != nil && bytes.Equal(texts[0], p.texts[0]) && bytes.Equal(texts[1], p.texts[1]) {
		return nil
	}
	cert, err := tls.X509KeyPair(texts[0], texts[1])
	if err != nil {
		return fmt.Errorf("TLS certificate %s with key %s: %w", p.certFile, p.keyFile, err)
	}
	if p.current != nil {
		p.log.Info("TLS certificate replaced", telemetry.File, p.certFile)
	}
	p.texts, p.current = texts, &cert
	return nil
}
