package kafka

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"example.com/orders/shared/config"
)

// Security says how to connect to the brokers: with TLS, with a sign-in (SASL), both or neither.
// Files are read again for each connection, so that a program needs no restart when certificates,
// passwords or tokens are replaced. The errors name the flags of config.KafkaSecurity.
type Security struct {
	TLS          bool
	CA           string // PEM file with the authorities that sign the brokers' certificates; or empty: those of the system
	Cert, Key    string // PEM files with the certificate and the key of this program; or both empty
	ServerName   string // that must be in the brokers' certificates; or empty: the host of the address
	SASL         string // plain, scram-sha-256, scram-sha-512 or oauthbearer; or empty: no sign-in
	User         string
	PasswordFile string
	Password     string // instead of PasswordFile
	TokenFile    string // with the token of oauthbearer
}

// handshakeTimeout bounds the handshake of TLS: a listener without TLS may wait for more, too.
const handshakeTimeout = 5 * time.Second

// Limits of the files in bytes.
const (
	maxPEM    = 1 << 20
	maxSecret = 64 << 10
)

// check reads all files once, so that a program does not start with wrong ones.
func (s Security) check() error {
	if s.TLS {
		if _, err := s.config(); err != nil {
			return err
		}
	}
	if m := s.mechanism(); m != nil {
		_, _, err := m.Authenticate(context.Background(), "")
		return err
	}
	return nil
}

// options are those of a client that dials with a function, or net.Dialer if that is nil.
func (s Security) options(dial dialer) (opts []kgo.Opt) {
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	if s.TLS {
		dial = s.dial(dial)
	}
	opts = append(opts, kgo.Dialer(bounded(dial)))
	if m := s.mechanism(); m != nil {
		opts = append(opts, kgo.SASL(m))
	}
	return opts
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

// bounded ends an attempt to connect after connectTimeout.
func bounded(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, connectTimeout)
		defer cancel()
		return dial(ctx, network, address)
	}
}

// dial returns a dialer that begins TLS on each connection.
func (s Security) dial(dial dialer) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := s.config()
		if err != nil {
			return nil, err
		}
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		c.ServerName = cmp.Or(s.ServerName, host)
		raw, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		conn := tls.Client(raw, c)
		ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
		defer cancel()
		if err := conn.HandshakeContext(ctx); err != nil {
			_ = raw.Close() // the error of the handshake is the one to report
			return nil, handshakeError(address, err)
		}
		return encrypted{conn}, nil
	}
}

// config reads the certificates and the key.
func (s Security) config() (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if s.CA != "" {
		text, err := config.ReadFile(s.CA, maxPEM)
		if err != nil {
			return nil, fmt.Errorf("--kafka-tls-ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--kafka-tls-ca: %s has no certificate in PEM format", s.CA)
		}
	}
	if s.Cert == "" {
		return c, nil
	}
	cert, err := s.certificate()
	c.Certificates = []tls.Certificate{cert}
	return c, err
}

// certificate reads the certificate of this program, and refuses one that is not valid now: the
// brokers would only end the connection.
func (s Security) certificate() (tls.Certificate, error) {
	chain, err := config.ReadFile(s.Cert, maxPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("--kafka-tls-cert: %w", err)
	}
	key, err := config.ReadFile(s.Key, maxPEM)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("--kafka-tls-key: %w", err)
	}
	cert, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("--kafka-tls-cert %s, --kafka-tls-key %s: %w", s.Cert, s.Key, err)
	}
	switch now := time.Now(); {
	case now.After(cert.Leaf.NotAfter):
		err = fmt.Errorf("--kafka-tls-cert: the certificate in %s expired at %s", s.Cert, cert.Leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(cert.Leaf.NotBefore):
		err = fmt.Errorf("--kafka-tls-cert: the certificate in %s is not valid before %s", s.Cert, cert.Leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	return cert, err
}

// handshakeError names the cause of a handshake that did not succeed.
func handshakeError(address string, err error) error {
	var cause string
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	invalid, unusable := errors.AsType[x509.CertificateInvalidError](err)
	_, name := errors.AsType[x509.HostnameError](err)
	_, foreign := errors.AsType[tls.RecordHeaderError](err)
	switch {
	case authority:
		cause = "the broker's certificate is not signed by an authority in --kafka-tls-ca"
	case unusable && invalid.Reason == x509.Expired:
		cause = "the broker's certificate has expired, or is not valid yet"
	case name:
		cause = "the broker's certificate has another name: correct --brokers or --kafka-tls-server-name"
	case foreign, errors.Is(err, io.EOF), errors.Is(err, context.DeadlineExceeded):
		// Without %w: for these errors the client has a text of its own.
		return fmt.Errorf("TLS with %s: the broker does not answer with TLS: use the port of its TLS listener, or no --kafka-tls flags: %v", address, err)
	default:
		return fmt.Errorf("TLS with %s: %w", address, refusedCertificate(err))
	}
	return fmt.Errorf("TLS with %s: %s: %w", address, cause, err)
}

// encrypted is a connection whose errors name the cause if the broker refuses this program's certificate. In
// TLS 1.3 that is after the handshake.
type encrypted struct{ *tls.Conn }

// Read reads from the connection.
func (e encrypted) Read(b []byte) (int, error) {
	n, err := e.Conn.Read(b)
	return n, refusedCertificate(err)
}

// refusedCertificate adds to an alert of TLS what it is about.
func refusedCertificate(err error) error {
	if alert, ok := errors.AsType[*net.OpError](err); ok && alert.Op == "remote error" {
		return fmt.Errorf("the broker refuses the certificate in --kafka-tls-cert, or needs one: %w", err)
	}
	return err
}

// mechanism is that of the sign-in, or nil.
func (s Security) mechanism() sasl.Mechanism {
	switch s.SASL {
	case "plain":
		return plain.Plain(func(context.Context) (plain.Auth, error) {
			password, err := s.password()
			return plain.Auth{User: s.User, Pass: password}, err
		})
	case "scram-sha-256":
		return scram.Sha256(s.scram)
	case "scram-sha-512":
		return scram.Sha512(s.scram)
	case "oauthbearer":
		return oauth.Oauth(func(context.Context) (oauth.Auth, error) {
			token, err := secret("--kafka-sasl-token-file", s.TokenFile)
			return oauth.Auth{Token: token}, err
		})
	}
	return nil
}

// signInError names the sign-in as the cause if the broker refused it, or ended the connection during it.
func (s Security) signInError(err error) error {
	_, first := errors.AsType[*kgo.ErrFirstReadEOF](err) // whose text has a cause
	if s.SASL != "" && errors.Is(err, io.EOF) && !first {
		return fmt.Errorf("the broker ended the connection during the SASL sign-in: check user name, password and mechanism: %w", err)
	}
	if errors.Is(err, kerr.SaslAuthenticationFailed) {
		return fmt.Errorf("the broker refuses the SASL sign-in: check user name, password and token: %w", err)
	}
	return err
}

func (s Security) scram(context.Context) (scram.Auth, error) {
	password, err := s.password()
	return scram.Auth{User: s.User, Pass: password}, err
}

func (s Security) password() (string, error) {
	if s.PasswordFile == "" {
		return s.Password, nil
	}
	return secret("--kafka-sasl-password-file", s.PasswordFile)
}

// secret reads a file, without the line breaks at its end.
func secret(flag, path string) (string, error) {
	text, err := config.ReadFile(path, maxSecret)
	if text = bytes.TrimRight(text, "\r\n"); err == nil && len(text) == 0 {
		err = fmt.Errorf("%s: is empty", path)
	}
	if err != nil {
		return "", fmt.Errorf("%s: %w", flag, err)
	}
	return string(text), nil
}
