package email

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/wneessen/go-mail/smtp"

	"example.com/orders/shared/config"
)

// policy is how connections to the mail server are encrypted. Whenever TLS is used, the certificate
// is checked.
type policy string

const (
	automatic     policy = "auto"          // implicit for port 465, opportunistic for a loopback address, else required
	plain         policy = "none"          // never encrypted
	opportunistic policy = "opportunistic" // STARTTLS if the server offers it
	required      policy = "required"      // STARTTLS, or no mail is sent
	implicit      policy = "implicit"      // TLS from the first byte (RFC 8314)
)

const (
	portImplicit = "465"
	maxCA        = 1 << 20 // bytes of a file of certificates
	maxPassword  = 4 << 10 // bytes of a file with a password
)

// security encrypts a connection to the mail server and signs in. It reads its files for every new
// connection, so that a corrected file needs no restart.
type security struct {
	policy   policy
	host     string // that the certificate must name
	ca       string // path; or empty: the certificate authorities of the system
	user     string // or empty: no login
	password string // or empty: that of the file
	file     string // path of the password
}

func newSecurity(cfg Config, host, port string) (*security, error) {
	s := &security{policy: policy(cfg.TLS), host: host, ca: cfg.CA, user: cfg.User, password: cfg.Password, file: cfg.PasswordFile}
	switch {
	case s.policy != automatic && s.policy != "":
	case port == portImplicit:
		s.policy = implicit
	case loopback(host):
		s.policy = opportunistic
	default:
		s.policy = required
	}
	if !slices.Contains([]policy{plain, opportunistic, required, implicit}, s.policy) {
		return nil, fmt.Errorf("encryption of the mail connection %q: must be auto, none, opportunistic, required or implicit", cfg.TLS)
	}
	if hasPassword := s.password != "" || s.file != ""; (s.user != "") != hasPassword {
		return nil, errors.New("the login at the mail server needs a user name and a password")
	}
	if s.user != "" && s.policy == plain {
		return nil, errors.New("the login at the mail server needs TLS: a password is never sent unencrypted")
	}
	if _, err := s.secret(); err != nil {
		return nil, err
	}
	_, err := s.config()
	return s, err
}

func loopback(host string) bool {
	return strings.EqualFold(host, "localhost") || net.ParseIP(host).IsLoopback()
}

// config returns the settings of TLS.
func (s *security) config() (*tls.Config, error) {
	c := &tls.Config{ServerName: s.host, MinVersion: tls.VersionTLS12}
	if s.ca == "" {
		return c, nil
	}
	text, err := config.ReadFile(s.ca, maxCA)
	if err != nil {
		return nil, fmt.Errorf("certificate authorities of the mail server: %w", err)
	}
	c.RootCAs = x509.NewCertPool()
	if !c.RootCAs.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("certificate authorities of the mail server: %s has no certificate in PEM format", s.ca)
	}
	return c, nil
}

// secret returns the password.
func (s *security) secret() (string, error) {
	if s.file == "" {
		return s.password, nil
	}
	text, err := config.ReadFile(s.file, maxPassword)
	if err != nil {
		return "", fmt.Errorf("password for the mail server: %w", err)
	}
	password := strings.TrimRight(string(text), "\r\n")
	if password == "" {
		return "", fmt.Errorf("password for the mail server: %s is empty", s.file)
	}
	return password, nil
}

// start encrypts a greeted connection as the policy says, then signs in.
func (s *security) start(c *smtp.Client, conf *tls.Config) error {
	offered, _ := c.Extension("STARTTLS")
	switch {
	case s.policy == required && !offered:
		return errors.New("the server does not offer STARTTLS: no mail is sent unencrypted, because TLS is required")
	case offered && (s.policy == required || s.policy == opportunistic):
		if err := c.StartTLS(conf); err != nil {
			return err
		}
	}
	if s.user == "" {
		return nil
	}
	return s.login(c)
}

// login signs in, over TLS only: a server that does not offer TLS may not be the right one.
func (s *security) login(c *smtp.Client) error {
	if _, err := c.GetTLSConnectionState(); err != nil {
		return errors.New("the server does not offer STARTTLS: the password is not sent unencrypted")
	}
	password, err := s.secret()
	if err != nil {
		return err
	}
	_, offered := c.Extension("AUTH")
	mechanisms := strings.Fields(strings.ToUpper(offered))
	var auth smtp.Auth
	switch {
	case slices.Contains(mechanisms, "PLAIN"):
		auth = smtp.PlainAuth("", s.user, password, s.host, false)
	case slices.Contains(mechanisms, "LOGIN"):
		auth = smtp.LoginAuth(s.user, password, s.host, false)
	default:
		return fmt.Errorf("login of %q: the server offers %q, and this program supports PLAIN and LOGIN", s.user, offered)
	}
	if err := c.Auth(auth); err != nil {
		return fmt.Errorf("login of %q refused: %w", s.user, err)
	}
	return nil
}

// explain adds to the error of a certificate which name was expected, and whose certificate it is.
// The text is the same at every attempt, so that it is logged once for each outage.
func (s *security) explain(err error) error {
	failed, ok := errors.AsType[*tls.CertificateVerificationError](err)
	if !ok || len(failed.UnverifiedCertificates) == 0 {
		return err
	}
	cert := failed.UnverifiedCertificates[0]
	return fmt.Errorf("certificate refused: expected the name %q, got a certificate for %s, issued by %q: %s",
		s.host, names(cert), cert.Issuer.CommonName, whyRefused(failed.Err, cert))
}

// maxNames is the maximum number of names of a certificate in an error.
const maxNames = 5

func names(cert *x509.Certificate) string {
	var all []string
	for _, name := range cert.DNSNames {
		all = append(all, fmt.Sprintf("%q", name))
	}
	for _, ip := range cert.IPAddresses {
		all = append(all, ip.String())
	}
	switch n := len(all); {
	case n == 0:
		return "no host name"
	case n > maxNames:
		return fmt.Sprintf("%s and %d more names", strings.Join(all[:maxNames], ", "), n-maxNames)
	}
	return strings.Join(all, ", ")
}

func whyRefused(err error, cert *x509.Certificate) string {
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return "the names differ"
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return "its issuer is not trusted"
	}
	// The text of x509 has the current time.
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); ok && invalid.Reason == x509.Expired {
		const form = time.DateOnly
		return fmt.Sprintf("it is valid from %s to %s only", cert.NotBefore.UTC().Format(form), cert.NotAfter.UTC().Format(form))
	}
	return err.Error()
}
