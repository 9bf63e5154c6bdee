package inbox

import (
	"crypto/tls"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"example.com/orders/shared/telemetry"
)

// The recipient domains with special answers.
const (
	refusedDomain = "refused.test"
	busyDomain    = "busy.test"
	slowDomain    = "slow.test"

	busyAnswers = 2
	slowAnswer  = 5 * time.Second
)

// The answers to refused mails. They are read-only.
var (
	errRefused = &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user here"}
	errBusy    = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "busy, try again later"}
	errDisk    = &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 1}, Message: "the mail cannot be stored"}
	errLogin   = &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "wrong user name or password"}
	errNoLogin = &smtp.SMTPError{Code: 530, EnhancedCode: smtp.EnhancedCode{5, 7, 0}, Message: "authentication required"}
	errEnding  = &smtp.SMTPError{Code: 421, EnhancedCode: smtp.EnhancedCode{4, 3, 2}, Message: "the server is shutting down"}
)

// server returns the SMTP server. Run calls Serve.
func (in *Inbox) server(secure *tls.Config) *smtp.Server {
	s := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		return &session{in: in, conn: c}, nil
	}))
	s.Domain = "inbox.test"
	s.MaxMessageBytes = maxMail
	s.MaxRecipients = 100
	s.EnableSMTPUTF8 = true
	s.TLSConfig, s.AllowInsecureAuth = secure, true // a client must not rely on the server to protect its password
	// RFC 5321, 4.5.3.2.7: a server waits five minutes for the next command.
	s.ReadTimeout, s.WriteTimeout = 5*time.Minute, time.Minute
	s.ErrorLog = slog.NewLogLogger(in.log.Handler(), slog.LevelDebug)
	return s
}

// session is one SMTP session. The server calls it from one goroutine.
type session struct {
	in   *Inbox
	conn *smtp.Conn
	to   []string // recipient domains of the current mail
	user string   // after a login
}

// AuthMechanisms lists the mechanisms of a login. The server asks for them if it needs one.
func (s *session) AuthMechanisms() []string {
	if s.in.login == nil {
		return nil
	}
	return []string{sasl.Plain}
}

// Auth checks a login.
func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if s.in.login == nil || !s.in.login(user, password) {
			return errLogin
		}
		s.user = user
		return nil
	}), nil
}

// Mail accepts every sender who has signed in, if that is necessary.
func (s *session) Mail(string, *smtp.MailOptions) error {
	if s.in.login != nil && s.user == "" {
		return errNoLogin
	}
	return s.fault("MAIL")
}

// Rcpt accepts every recipient except those at refused.test.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	_, domain, _ := strings.Cut(strings.ToLower(to), "@")
	if domain == refusedDomain {
		return errRefused
	}
	if err := s.fault("RCPT"); err != nil {
		return err
	}
	s.to = append(s.to, domain)
	return nil
}

// Data stores the mail. When it returns nil, the mail is on disk. The busy answers are counted
// here, by Message-ID, because several orders can have the same recipient.
func (s *session) Data(r io.Reader) error {
	if err := s.fault("DATA"); err != nil {
		return err
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	id := messageID(raw)
	if slices.Contains(s.to, busyDomain) {
		busy, err := s.in.mails.busy(id)
		if err != nil {
			return s.unkept(err)
		}
		if busy {
			return errBusy
		}
	}
	if slices.Contains(s.to, slowDomain) && !s.in.wait(slowAnswer, nil) {
		return errEnding
	}
	if err := s.in.mails.keep(raw, id); err != nil {
		return s.unkept(err)
	}
	return s.fault(".")
}

// unkept logs a storage error and returns a temporary error for the client.
func (s *session) unkept(err error) error {
	s.in.log.Error("storing a mail", slog.Any(telemetry.Error, err))
	return errDisk
}

// Reset discards the current mail.
func (s *session) Reset() { s.to = nil }

// Logout does nothing.
func (s *session) Logout() error { return nil }
