package email_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orders/services/order-worker/internal/email"
	"example.com/orders/shared/embedded/inbox"
	"example.com/orders/shared/failure"
)

// authority issues certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{file: filepath.Join(t.TempDir(), "ca.pem")}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Example CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().AddDate(-10, 0, 0), NotAfter: time.Now().AddDate(10, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	der := a.sign(t, a.cert, &a.key)
	if err := os.WriteFile(a.file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// sign makes a key and signs a certificate for it; the first one signs itself.
func (a *authority) sign(t *testing.T, cert *x509.Certificate, key **ecdsa.PrivateKey) []byte {
	t.Helper()
	fresh, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	*key = fresh
	der, err := x509.CreateCertificate(rand.Reader, cert, a.cert, &fresh.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// issue makes a certificate that ends after a number of days.
func (a *authority) issue(t *testing.T, name string, days int) *tls.Certificate {
	t.Helper()
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(2), DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(0, 0, days),
	}
	var key *ecdsa.PrivateKey
	der := a.sign(t, cert, &key)
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// server is a mail server whose certificate can be changed, and all bytes that it was sent.
type server struct {
	shop
	cert *tls.Certificate
	sent *recorder
}

const password = "correct horse"

// secured starts a mail server that needs a login, and a step that has one.
func secured(t *testing.T, a *authority, cert *tls.Certificate, change ...func(*email.Config)) *server {
	t.Helper()
	s := &server{cert: cert, sent: new(recorder)}
	cfg := inbox.Config{
		Log:   slog.New(slog.DiscardHandler),
		Login: func(user, given string) bool { return user == "shop" && given == password },
	}
	if cert != nil {
		cfg.TLS = &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.cert, nil }}
	}
	s.inbox = runInbox(t, cfg)
	all := append([]func(*email.Config){func(c *email.Config) {
		c.TLS, c.CA, c.User, c.Password, c.Dial = "required", a.file, "shop", password, s.sent.dial(s.inbox.Dial)
	}}, change...)
	s.shop = s.another(t, append(all, func(c *email.Config) {
		if c.TLS == "implicit" {
			c.Dial = s.sent.dial(s.dialTLS)
		}
	})...)
	return s
}

// dialTLS connects to the server as on port 465: TLS from the first byte.
func (s *server) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	inner, err := s.inbox.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	return serveTLS(s.cert, func(outer net.Conn) {
		go func() { // ends when the inbox or the client closes the connection
			_, _ = io.Copy(outer, inner)
			outer.Close()
		}()
		_, _ = io.Copy(inner, outer)
		inner.Close()
	}), nil
}

// serveTLS returns the client's end of a connection that a program serves over TLS.
func serveTLS(cert *tls.Certificate, program func(net.Conn)) net.Conn {
	client, end := net.Pipe()
	go program(tls.Server(end, &tls.Config{Certificates: []tls.Certificate{*cert}})) // ends with the connection
	return client
}

// recorder records what the client writes to its connections.
type recorder struct {
	mu  sync.Mutex
	all bytes.Buffer
}

type recorded struct {
	net.Conn
	by *recorder
}

func (c recorded) Write(p []byte) (int, error) {
	c.by.mu.Lock()
	c.by.all.Write(p)
	c.by.mu.Unlock()
	return c.Conn.Write(p)
}

func (r *recorder) dial(next func(context.Context, string, string) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := next(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return recorded{c, r}, nil
	}
}

// clear fails the test if the login or anything of a mail was sent unencrypted.
func (r *recorder) clear(t *testing.T) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	login := base64.StdEncoding.EncodeToString([]byte("\x00shop\x00" + password))
	for _, text := range []string{"AUTH", login, password, "MAIL FROM", "RCPT", "DATA", "zoe@", "Message-ID"} {
		if strings.Contains(r.all.String(), text) {
			t.Errorf("%q was sent unencrypted:\n%.500q", text, r.all.String())
		}
	}
}

func TestUnsafeConnectionIsDownAndNothingIsSentUnencrypted(t *testing.T) {
	t.Parallel()
	as := func(tls string) func(*email.Config) { return func(c *email.Config) { c.TLS = tls } }
	for name, row := range map[string]struct {
		cert   func(t *testing.T, a *authority) *tls.Certificate // nil: no STARTTLS
		change func(*email.Config)
		says   []string
	}{
		"wrong name": {
			func(t *testing.T, a *authority) *tls.Certificate { return a.issue(t, "other.test", 1) }, as("required"),
			[]string{`expected the name "mail.example.com"`, `"other.test"`, `"Example CA"`, "the names differ"},
		},
		"wrong name, opportunistic": {
			func(t *testing.T, a *authority) *tls.Certificate { return a.issue(t, "other.test", 1) }, as("opportunistic"),
			[]string{`expected the name "mail.example.com"`, "the names differ"},
		},
		"wrong name, implicit": {
			func(t *testing.T, a *authority) *tls.Certificate { return a.issue(t, "other.test", 1) }, as("implicit"),
			[]string{`expected the name "mail.example.com"`, "the names differ"},
		},
		"expired": {
			func(t *testing.T, a *authority) *tls.Certificate { return a.issue(t, "mail.example.com", -1) }, as("required"),
			[]string{`expected the name "mail.example.com"`, "it is valid from 1999-01-01 to 1999-12-31 only"},
		},
		"issuer not trusted": {
			func(t *testing.T, _ *authority) *tls.Certificate {
				return newAuthority(t).issue(t, "mail.example.com", 1)
			}, as("required"),
			[]string{`"mail.example.com"`, "its issuer is not trusted"},
		},
		"STARTTLS missing or removed": {nil, as("required"), []string{"does not offer STARTTLS"}},
		"auto is required":            {nil, as("auto"), []string{"does not offer STARTTLS"}},
		"password, opportunistic":     {nil, as("opportunistic"), []string{"the password is not sent unencrypted"}},
		"wrong password": {
			func(t *testing.T, a *authority) *tls.Certificate { return a.issue(t, "mail.example.com", 1) },
			func(c *email.Config) { c.Password = "wrong" },
			[]string{`login of "shop" refused`, "535"},
		},
		"no login": {
			func(t *testing.T, a *authority) *tls.Certificate { return a.issue(t, "mail.example.com", 1) },
			func(c *email.Config) { c.User, c.Password = "", "" },
			[]string{"530"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(t)
				var cert *tls.Certificate
				if row.cert != nil {
					cert = row.cert(t, a)
				}
				s := secured(t, a, cert, row.change)
				err := s.mail(t.Context(), invoiced("1", "Zoë", "zoe@example.com"))
				if class, reason := failure.Of(err); err == nil || class != failure.Down || reason != failure.MailAway {
					t.Fatalf("got %v, want the server down", err)
				}
				for _, text := range row.says {
					if !strings.Contains(err.Error(), text) {
						t.Errorf("got %q, want an error that says %q", err, text)
					}
				}
				if strings.Contains(err.Error(), password) {
					t.Errorf("the error tells the password: %v", err)
				}
				again := s.mail(t.Context(), invoiced("1", "Zoë", "zoe@example.com"))
				if again == nil || again.Error() != err.Error() {
					t.Errorf("second attempt: got %q, want %q again, which is logged once", again, err)
				}
				s.sent.clear(t)
			})
		})
	}
}

func TestMailOverTLSArrives(t *testing.T) {
	t.Parallel()
	for _, policy := range []string{"required", "opportunistic", "implicit"} {
		t.Run(policy, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				a := newAuthority(t)
				s := secured(t, a, a.issue(t, "mail.example.com", 1), func(c *email.Config) { c.TLS = policy })
				for _, id := range []string{"1", "2"} { // the second one on the same connection
					if err := s.mail(t.Context(), invoiced(id, "Zoë", "zoe@example.com")); err != nil {
						t.Fatal(err)
					}
				}
				if n := len(s.inbox.Deliveries()); n != 2 {
					t.Errorf("got %d mails, want 2", n)
				}
				s.sent.clear(t)
			})
		})
	}
}

// TestCorrectedFilesAreUsedWithoutRestart corrects one thing after the other.
func TestCorrectedFilesAreUsedWithoutRestart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		wrong, a := newAuthority(t), newAuthority(t)
		secret := filepath.Join(t.TempDir(), "password")
		write := func(path, text string) {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(secret, "wrong\n")
		s := secured(t, wrong, a.issue(t, "other.test", 1), func(c *email.Config) { c.Password, c.PasswordFile = "", secret })
		w := invoiced("1", "Zoë", "zoe@example.com")
		for _, step := range []struct {
			says    string
			correct func()
		}{
			{"the names differ", func() { s.cert = a.issue(t, "mail.example.com", 1) }},
			{"not trusted", func() { write(wrong.file, "no certificate") }},
			{"no certificate in PEM", func() {
				good, err := os.ReadFile(a.file)
				if err != nil {
					t.Fatal(err)
				}
				write(wrong.file, string(good))
			}},
			{"535", func() { write(secret, "") }},
			{"is empty", func() { write(secret, password+"\r\n") }},
		} {
			err := s.mail(t.Context(), w)
			if class, _ := failure.Of(err); err == nil || class != failure.Down || !strings.Contains(err.Error(), step.says) {
				t.Fatalf("got %v, want the server down, because %q", err, step.says)
			}
			step.correct()
		}
		if err := s.mail(t.Context(), w); err != nil {
			t.Errorf("all corrected: got %v, want nil", err)
		}
		s.sent.clear(t)
	})
}

func TestLoginOfServersWithoutPlain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := newAuthority(t)
		cert := a.issue(t, "mail.example.com", 1)
		for offer, want := range map[string]string{"LOGIN XOAUTH2": "shop:" + password, "CRAM-MD5": ""} {
			var got string
			step, err := email.New(email.Config{
				SMTP: "mail.example.com:465", From: "shop@example.com", CA: a.file, User: "shop", Password: password,
				Dial: func(context.Context, string, string) (net.Conn, error) {
					return serveTLS(cert, func(c net.Conn) { got = askLogin(c, offer) }), nil
				},
			})
			if err != nil {
				t.Fatal(err)
			}
			err = shop{Step: step}.mail(t.Context(), invoiced("1", "Zoë", "zoe@example.com"))
			if class, _ := failure.Of(err); class != failure.Down { // the server hangs up
				t.Errorf("%s: got %v, want it down", offer, err)
			}
			synctest.Wait()
			if got != want {
				t.Errorf("%s: got login %q, want %q", offer, got, want)
			}
		}
	})
}

// askLogin is a server with a mechanism that the inbox does not have. It hangs up after the login.
func askLogin(c net.Conn, offer string) string {
	defer c.Close()
	lines := bufio.NewReader(c)
	ask := func(text string) string {
		_, _ = io.WriteString(c, text+"\r\n")
		line, _ := lines.ReadString('\n')
		return strings.TrimSpace(line)
	}
	decode := func(text string) string {
		plain, _ := base64.StdEncoding.DecodeString(text)
		return string(plain)
	}
	ask("220 ready")
	if ask("250-mail\r\n250 AUTH "+offer) != "AUTH LOGIN" {
		return ""
	}
	user := decode(ask("334 " + base64.StdEncoding.EncodeToString([]byte("Username:"))))
	return user + ":" + decode(ask("334 "+base64.StdEncoding.EncodeToString([]byte("Password:"))))
}
