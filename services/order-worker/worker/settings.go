package worker

import (
	"cmp"
	"errors"
	"fmt"
	"time"

	"example.com/orders/services/order-worker/internal/group"
)

// Settings are the settings of a worker that an operator may change. Programs embed them among
// their own flags.
type Settings struct {
	Group            string        `env:"ORDERS_GROUP" default:"order-workers" help:"Consumer group of the workers."`
	Protocol         string        `name:"group-protocol" env:"ORDERS_GROUP_PROTOCOL" enum:"classic,consumer" default:"classic" help:"Consumer group protocol: classic, or consumer (KIP-848). With consumer, the brokers set the session timeout."`
	Session          time.Duration `name:"session-timeout" env:"ORDERS_SESSION_TIMEOUT" default:"8s" help:"Session timeout of the group (classic protocol): the partitions of a worker that is silent for this long go to others. At least 4s, and within the brokers' bounds."`
	AcceptLoss       bool          `env:"ORDERS_ACCEPT_LOSS" help:"Skip records that were lost before they were processed, and continue with the next one. Start with this flag once, when you know what is lost. Default: the partition is blocked."`
	SMTP             string        `name:"smtp" env:"ORDERS_SMTP" default:"127.0.0.1:1025" help:"Mail server, as HOST:PORT."`
	SMTPTLS          string        `name:"smtp-tls" env:"ORDERS_SMTP_TLS" enum:"auto,none,opportunistic,required,implicit" default:"auto" help:"Encryption of the connection to the mail server: required (STARTTLS, or no mail is sent), implicit (TLS from the first byte), opportunistic (STARTTLS if the server offers it) or none. auto: implicit for port 465, opportunistic for a loopback address, else required. Certificates are always checked."`
	SMTPCA           string        `name:"smtp-ca" env:"ORDERS_SMTP_CA" type:"path" placeholder:"FILE" help:"Certificate authorities that may sign the mail server's certificate (PEM). Default: those of the system."`
	SMTPUser         string        `name:"smtp-user" env:"ORDERS_SMTP_USER" placeholder:"NAME" help:"User name for the mail server. The login is sent over TLS only. Default: no login."`
	SMTPPasswordFile string        `name:"smtp-password-file" env:"ORDERS_SMTP_PASSWORD_FILE" type:"path" placeholder:"FILE" help:"File with the password for the mail server, read for every new connection. ORDERS_SMTP_PASSWORD may hold the password itself."`
	SMTPPassword     string        `name:"smtp-password" env:"ORDERS_SMTP_PASSWORD" secret:"" hidden:"" help:"Password for the mail server."`
	SMTPConnections  int           `name:"smtp-connections" env:"ORDERS_SMTP_CONNECTIONS" default:"0" help:"Maximum number of connections of this worker to the mail server, at most --concurrency. 0: as many."`
	MailFrom         string        `env:"ORDERS_MAIL_FROM" default:"orders@shop.example.com" help:"Sender address of the confirmation mails."`
	Templates        string        `name:"mail-templates" env:"ORDERS_MAIL_TEMPLATES" type:"path" placeholder:"DIR" help:"Directory of mail templates. A file in it replaces the built-in template of the same name."`
	ShopURL          string        `name:"shop-url" env:"ORDERS_SHOP_URL" placeholder:"URL" help:"Base URL of the shop. Mails link to /orders/ID below it; those to guests have a token that gives access to the order. Default: no link."`
	VATTable         string        `env:"ORDERS_VAT_TABLE" type:"path" placeholder:"FILE" help:"VAT rates by day, and territories (YAML). Default: a built-in table."`
	RateCard         string        `env:"ORDERS_RATE_CARD" type:"path" placeholder:"FILE" help:"Rate card with the shipping prices (YAML). Default: a built-in example."`
	Seller           string        `env:"ORDERS_SELLER" type:"path" placeholder:"FILE" help:"Seller that is named on invoices and in mails (YAML). Default: a built-in example."`
	Concurrency      int           `env:"ORDERS_CONCURRENCY" default:"64" help:"Maximum number of orders that each worker mails at the same time. It works on up to twice as many: the others wait for Kafka."`
	Drain            time.Duration `env:"ORDERS_DRAIN" default:"${drain}" help:"Grace period in which orders in flight can end when a partition is revoked or the worker stops. Above 30s, the timeout of a mail, it avoids uncertain mails."`
	Retries          int           `env:"ORDERS_RETRIES" default:"6" help:"Number of retries 10 seconds apart. After them, retry every 2 minutes until --retry-for. 0: no retries at all."`
	RetryFor         time.Duration `env:"ORDERS_RETRY_FOR" default:"1h" help:"Retry every 2 minutes until this long after the first failure, then dead-letter the order."`
	Uncertain        string        `env:"ORDERS_UNCERTAIN" default:"resend" enum:"resend,hold" help:"What to do when the outcome of a mail is unknown: resend: send it again, at most twice. hold: make the order a dead letter."`
	Health           string        `env:"ORDERS_HEALTH" placeholder:"HOST:PORT" help:"Address that serves /healthz/live, /healthz/ready, /metrics and /debug/pprof/. Default: none."`
}

// DefaultDrain is the default of Drain. It is longer than the timeout of a mail, so that a worker
// that stops can finish sending.
const DefaultDrain = 35 * time.Second

// mails is the maximum number of orders that are being mailed, each on a connection of its own.
func (s *Settings) mails() int { return min(s.Concurrency, cmp.Or(s.SMTPConnections, s.Concurrency)) }

// slots is the maximum number of orders in flight: those that are being mailed, and as many as --concurrency that
// wait for Kafka, or for a connection to the mail server.
func (s *Settings) slots() int { return s.mails() + s.Concurrency }

// Validate refuses settings with which no worker can run. config.Parse calls it.
func (s *Settings) Validate() error {
	if s.Concurrency < 1 || s.Drain < 0 || s.Group == "" {
		return errors.New("--concurrency must be at least 1, --drain must not be negative, and --group must not be empty")
	}
	if s.SMTPPassword != "" && s.SMTPPasswordFile != "" {
		return errors.New("--smtp-password-file: ORDERS_SMTP_PASSWORD is set, too: set one of them")
	}
	if s.SMTPConnections < 0 {
		return errors.New("--smtp-connections must not be negative")
	}
	if s.Session < group.SessionLeast {
		return fmt.Errorf("--session-timeout must be at least %s", group.SessionLeast)
	}
	if s.Retries < 0 || s.RetryFor < 0 {
		return errors.New("--retries and --retry-for must not be negative")
	}
	return nil
}
