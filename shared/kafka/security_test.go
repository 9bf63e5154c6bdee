package kafka_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/shared/kafka"
	"example.com/orders/shared/kafkatest"
	"example.com/orders/shared/securetest"
)

const user = "order-api"

var tomorrow = time.Now().Add(24 * time.Hour)

// file writes a file of the test.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEachMechanismSignsInOverTLS(t *testing.T) {
	t.Parallel()
	authority := securetest.NewAuthority(t)
	k := securetest.Start(t, securetest.Config{Authority: authority, Until: tomorrow, Users: []string{user}})
	for _, mechanism := range []string{"plain", "scram-sha-256", "scram-sha-512"} {
		config := kafka.Config{Brokers: k.Brokers, Security: kafka.Security{
			TLS: true, CA: authority.CA, SASL: mechanism, User: user, PasswordFile: file(t, "password", securetest.PasswordOf(user)+"\n"),
		}}
		cl, err := config.Connect(t.Context())
		if err != nil {
			t.Errorf("%s: %v", mechanism, err)
			continue
		}
		cl.Close()
	}
}

func TestARefusedConnectionNamesItsCause(t *testing.T) {
	t.Parallel()
	authority, other := securetest.NewAuthority(t), securetest.NewAuthority(t)
	encrypted := securetest.Start(t, securetest.Config{Authority: authority, Until: tomorrow, Users: []string{user}})
	mutual := securetest.Start(t, securetest.Config{
		Authority: authority, Until: tomorrow, Clients: tls.RequireAndVerifyClientCert, Users: []string{user},
	})
	plain := securetest.Start(t, securetest.Config{Users: []string{user}})
	open := kafkatest.Start(t)
	expired, expiredKey := authority.Issue(t, "expired", time.Now().Add(-time.Hour))
	foreign, foreignKey := other.Issue(t, user, tomorrow)
	_, otherKey := authority.Issue(t, "other", tomorrow)
	ok := kafka.Security{TLS: true, CA: authority.CA, SASL: "scram-sha-256", User: user, Password: securetest.PasswordOf(user)}
	for _, row := range []struct {
		name    string
		brokers []string
		change  func(*kafka.Security)
		want    string
	}{
		{"wrong password", encrypted.Brokers, func(s *kafka.Security) { s.Password = "guess" }, "SASL sign-in: check user name, password and"},
		{"unknown user", encrypted.Brokers, func(s *kafka.Security) { s.User = "stranger" }, "SASL sign-in: check user name, password and"},
		{"empty password", encrypted.Brokers, func(s *kafka.Security) { s.Password, s.PasswordFile = "", file(t, "empty", "\n") }, "--kafka-sasl-password-file: "},
		{"no such password", encrypted.Brokers, func(s *kafka.Security) { s.PasswordFile = "/does/not/exist" }, "--kafka-sasl-password-file: stat /does/not/exist"},
		{"no such token", encrypted.Brokers, func(s *kafka.Security) {
			*s = kafka.Security{TLS: true, CA: authority.CA, SASL: "oauthbearer", TokenFile: "/does/not/exist"}
		}, "--kafka-sasl-token-file: stat /does/not/exist"},
		{"mechanism not offered", encrypted.Brokers, func(s *kafka.Security) {
			*s = kafka.Security{TLS: true, CA: authority.CA, SASL: "oauthbearer", TokenFile: file(t, "token", "a.b.c")}
		}, "UNSUPPORTED_SASL_MECHANISM"},
		{"no sign-in", encrypted.Brokers, func(s *kafka.Security) { *s = kafka.Security{TLS: true, CA: authority.CA} }, "is SASL missing?"},
		{"wrong authority", encrypted.Brokers, func(s *kafka.Security) { s.CA = other.CA }, "the broker's certificate is not signed by an authority in --kafka-tls-ca"},
		{"authority is no certificate", encrypted.Brokers, func(s *kafka.Security) { s.CA = file(t, "ca", "hello") }, "has no certificate in PEM format"},
		{"no such authority", encrypted.Brokers, func(s *kafka.Security) { s.CA = "/does/not/exist" }, "--kafka-tls-ca: stat /does/not/exist"},
		{"authority is a folder", encrypted.Brokers, func(s *kafka.Security) { s.CA = t.TempDir() }, "is not a regular file"},
		{"another name", encrypted.Brokers, func(s *kafka.Security) { s.ServerName = "kafka.example.com" }, "the broker's certificate has another name"},
		{"plaintext client", encrypted.Brokers, func(s *kafka.Security) { s.TLS = false }, "is TLS missing?"},
		{"TLS with a plaintext broker", plain.Brokers, func(*kafka.Security) {}, "the broker does not answer with TLS"},
		{"sign-in at an open broker", open.Config().Brokers, func(s *kafka.Security) { s.TLS = false }, "SASL"},
		{"no client certificate", mutual.Brokers, func(*kafka.Security) {}, "the broker refuses the certificate in --kafka-tls-cert, or needs one"},
		{"expired client certificate", mutual.Brokers, func(s *kafka.Security) { s.Cert, s.Key = expired, expiredKey }, "expired at "},
		{"client certificate of another authority", mutual.Brokers, func(s *kafka.Security) { s.Cert, s.Key = foreign, foreignKey }, "the broker refuses the certificate in --kafka-tls-cert"},
		{"key of another certificate", mutual.Brokers, func(s *kafka.Security) { s.Cert, s.Key = foreign, otherKey }, "private key does not match"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			config := kafka.Config{Brokers: row.brokers, Security: ok}
			row.change(&config.Security)
			cl, err := config.Connect(t.Context())
			if err == nil {
				cl.Close()
				t.Fatalf("connected, want %q", row.want)
			}
			if !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
			if s := config.Security; s.Password != "" && strings.Contains(err.Error(), s.Password) {
				t.Errorf("got %v, which has the password", err)
			}
		})
	}
}

func TestAnExpiredBrokerCertificateIsNamed(t *testing.T) {
	t.Parallel()
	authority := securetest.NewAuthority(t)
	config := kafka.Config{Security: kafka.Security{TLS: true, CA: authority.CA}}
	config.Brokers = []string{tlsListener(t, authority, time.Now().Add(-time.Hour))}
	_, err := config.Connect(t.Context())
	if err == nil || !strings.Contains(err.Error(), "the broker's certificate has expired, or is not valid yet") {
		t.Errorf("got %v, want it to name the certificate", err)
	}
}

// tlsListener answers handshakes with a certificate that ends at a time.
func tlsListener(t *testing.T, authority *securetest.Authority, until time.Time) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(authority.Issue(t, "broker", until))
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() { // ends with the listener
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_ = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}}).Handshake()
			conn.Close()
		}
	}()
	return ln.Addr().String()
}

func TestReplacedFilesAreUsedByTheNextConnection(t *testing.T) {
	t.Parallel()
	authority := securetest.NewAuthority(t)
	k := securetest.Start(t, securetest.Config{
		Authority: authority, Until: tomorrow, Clients: tls.RequireAndVerifyClientCert, Users: []string{user},
	})
	password := file(t, "password", securetest.PasswordOf(user))
	cert, key := authority.Issue(t, user, tomorrow)
	var conns []net.Conn
	config := kafka.Config{Brokers: k.Brokers, Security: kafka.Security{
		TLS: true, CA: authority.CA, Cert: cert, Key: key, SASL: "scram-sha-512", User: user, PasswordFile: password,
	}, Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, address)
		conns = append(conns, conn)
		return conn, err
	}}
	cl, err := config.Connect(t.Context(), kgo.RequestRetries(0))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	// reconnect closes the connection, and returns the error of the next one.
	reconnect := func() (err error) {
		for _, conn := range conns {
			conn.Close()
		}
		conns = nil
		for range 3 { // the client notices the closed connection by a failed request
			if err = cl.Ping(t.Context()); len(conns) > 0 {
				return err
			}
		}
		return cmp.Or(err, context.DeadlineExceeded)
	}
	replace := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	authority.Issue(t, user, time.Now().Add(-time.Minute))
	if err := reconnect(); err == nil || !strings.Contains(err.Error(), "expired at") {
		t.Errorf("with an expired certificate: got %v", err)
	}
	authority.Issue(t, user, tomorrow)
	replace(password, "wrong")
	if err := reconnect(); err == nil {
		t.Error("with a wrong password: connected")
	}
	replace(password, securetest.PasswordOf(user))
	if err := reconnect(); err != nil {
		t.Errorf("with the right files: %v", err)
	}
}
