package config

import (
	"errors"
	"fmt"
	"net"
	"regexp"
)

// Kafka are the settings of every program that talks to Kafka.
type Kafka struct {
	Brokers  []string      `env:"ORDERS_BROKERS" default:"127.0.0.1:9092" help:"Kafka bootstrap brokers, as HOST:PORT, separated by commas."`
	Prefix   string        `env:"ORDERS_PREFIX" default:"orders" help:"Prefix of the topic names."`
	Security KafkaSecurity `embed:""`
}

// KafkaSecurity says how to connect to Kafka. It has the fields of kafka.Security.
type KafkaSecurity struct {
	TLS          bool   `name:"kafka-tls" env:"ORDERS_KAFKA_TLS" help:"Connect to Kafka with TLS. The other --kafka-tls flags switch it on, too."`
	CA           string `name:"kafka-tls-ca" env:"ORDERS_KAFKA_TLS_CA" type:"path" placeholder:"FILE" help:"Certificates (PEM) of the authorities that sign the brokers' certificates. Default: those of the system."`
	Cert         string `name:"kafka-tls-cert" env:"ORDERS_KAFKA_TLS_CERT" type:"path" placeholder:"FILE" help:"Certificate (PEM) of this program, for brokers that ask for one. Certificates and key are read again for each connection."`
	Key          string `name:"kafka-tls-key" env:"ORDERS_KAFKA_TLS_KEY" type:"path" placeholder:"FILE" help:"Private key (PEM) of that certificate."`
	ServerName   string `name:"kafka-tls-server-name" env:"ORDERS_KAFKA_TLS_SERVER_NAME" placeholder:"NAME" help:"Name that must be in the brokers' certificates. Default: the host that the program connects to."`
	SASL         string `name:"kafka-sasl" env:"ORDERS_KAFKA_SASL" enum:",plain,scram-sha-256,scram-sha-512,oauthbearer" default:"" placeholder:"MECHANISM" help:"How to sign in to Kafka: plain, scram-sha-256, scram-sha-512 or oauthbearer. Default: no sign-in."`
	User         string `name:"kafka-sasl-user" env:"ORDERS_KAFKA_SASL_USER" placeholder:"NAME" help:"User name for plain and SCRAM."`
	PasswordFile string `name:"kafka-sasl-password-file" env:"ORDERS_KAFKA_SASL_PASSWORD_FILE" type:"path" placeholder:"FILE" help:"File with the password; read again for each sign-in. ORDERS_KAFKA_SASL_PASSWORD may hold the password itself."`
	Password     string `name:"kafka-sasl-password" env:"ORDERS_KAFKA_SASL_PASSWORD" secret:"" hidden:"" help:"Password."`
	TokenFile    string `name:"kafka-sasl-token-file" env:"ORDERS_KAFKA_SASL_TOKEN_FILE" type:"path" placeholder:"FILE" help:"File with the token for oauthbearer; read again for each sign-in, so that another program can renew it."`
}

// prefix allows what Kafka allows in topic names. Kafka limits names to 249 characters; the longest
// suffix has 10.
var prefix = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,199}$`)

// Validate is called by Parse. It sets Security.TLS if another setting of TLS is given.
func (k *Kafka) Validate() error {
	if !prefix.MatchString(k.Prefix) {
		return fmt.Errorf("--prefix %q: must be at most 200 letters, digits, dots, underscores and hyphens, and begin with a letter or a digit", k.Prefix)
	}
	for _, b := range k.Brokers {
		if host, port, err := net.SplitHostPort(b); err != nil || host == "" || port == "" {
			return fmt.Errorf("--brokers %q: must be HOST:PORT, such as 127.0.0.1:9092", b)
		}
	}
	s := &k.Security
	s.TLS = s.TLS || s.CA != "" || s.Cert != "" || s.Key != "" || s.ServerName != ""
	if (s.Cert == "") != (s.Key == "") {
		return errors.New("--kafka-tls-cert and --kafka-tls-key: set both, or neither")
	}
	if err := s.signIn(); err != nil {
		return err
	}
	if (s.SASL == "plain" || s.SASL == "oauthbearer") && !s.TLS && !k.local() {
		return fmt.Errorf("--kafka-sasl %s: needs --kafka-tls, because it sends the secret itself; without TLS it is allowed with brokers on this machine only", s.SASL)
	}
	return nil
}

// signIn checks that the settings of the sign-in belong together.
func (s *KafkaSecurity) signIn() error {
	password := s.Password != "" || s.PasswordFile != ""
	switch {
	case s.Password != "" && s.PasswordFile != "":
		return errors.New("--kafka-sasl-password-file: ORDERS_KAFKA_SASL_PASSWORD is set, too: set one of them")
	case s.SASL == "" && (s.User != "" || password || s.TokenFile != ""):
		return errors.New("--kafka-sasl: must be set, because a user name, a password or a token is")
	case s.SASL == "oauthbearer" && s.TokenFile == "":
		return errors.New("--kafka-sasl oauthbearer: needs --kafka-sasl-token-file")
	case s.SASL == "oauthbearer" && (s.User != "" || password):
		return errors.New("--kafka-sasl oauthbearer: takes a token, and neither a user name nor a password")
	case s.SASL != "" && s.SASL != "oauthbearer" && (s.User == "" || !password):
		return fmt.Errorf("--kafka-sasl %s: needs --kafka-sasl-user, and --kafka-sasl-password-file or ORDERS_KAFKA_SASL_PASSWORD", s.SASL)
	case s.SASL != "oauthbearer" && s.TokenFile != "":
		return errors.New("--kafka-sasl-token-file: is for --kafka-sasl oauthbearer only")
	}
	return nil
}

// local reports whether all brokers are on this machine.
func (k *Kafka) local() bool {
	for _, b := range k.Brokers {
		host, _, _ := net.SplitHostPort(b)
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return false
		}
	}
	return true
}
