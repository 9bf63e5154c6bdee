package config_test

import (
	"strings"
	"testing"
)

func TestSettingsOfAKafkaConnectionBelongTogether(t *testing.T) {
	t.Parallel()
	const remote = "--brokers kafka.example.com:9093 "
	for _, row := range []struct{ args, env, want string }{
		{"--kafka-tls-cert c.pem", "", "--kafka-tls-cert and --kafka-tls-key: set both, or neither"},
		{"--kafka-tls-key k.pem", "", "--kafka-tls-cert and --kafka-tls-key: set both, or neither"},
		{"--kafka-sasl gssapi", "", "--kafka-sasl must be one of"},
		{"--kafka-sasl plain --kafka-sasl-user me", "", "--kafka-sasl plain: needs --kafka-sasl-user, and --kafka-sasl-password-file or"},
		{"--kafka-sasl scram-sha-256", "ORDERS_KAFKA_SASL_PASSWORD=hush", "--kafka-sasl scram-sha-256: needs --kafka-sasl-user"},
		{"--kafka-sasl-user me", "", "--kafka-sasl: must be set, because a user name"},
		{"", "ORDERS_KAFKA_SASL_PASSWORD=hush", "--kafka-sasl: must be set, because"},
		{"--kafka-sasl plain --kafka-sasl-user me --kafka-sasl-password-file p", "ORDERS_KAFKA_SASL_PASSWORD=hush", "set one of them"},
		{"--kafka-sasl oauthbearer", "", "--kafka-sasl oauthbearer: needs --kafka-sasl-token-file"},
		{"--kafka-sasl oauthbearer --kafka-sasl-token-file t --kafka-sasl-user me", "", "takes a token, and neither"},
		{"--kafka-sasl scram-sha-512 --kafka-sasl-user me --kafka-sasl-password-file p --kafka-sasl-token-file t", "", "is for --kafka-sasl oauthbearer only"},
		{remote + "--kafka-sasl plain --kafka-sasl-user me --kafka-sasl-password-file p", "", "--kafka-sasl plain: needs --kafka-tls, because"},
		{remote + "--kafka-sasl oauthbearer --kafka-sasl-token-file t", "", "--kafka-sasl oauthbearer: needs --kafka-tls, because"},
		{"--brokers 127.0.0.1:1,192.0.2.7:1 --kafka-sasl plain --kafka-sasl-user me --kafka-sasl-password-file p", "", "--kafka-sasl plain: needs --kafka-tls, because"},
	} {
		_, _, err := parse(row.args, row.env)
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s %s: got %v, want %q", row.args, row.env, err, row.want)
		}
	}
	for _, args := range []string{
		"--brokers [::1]:9092,localhost:9092,127.0.0.2:9092 --kafka-sasl plain --kafka-sasl-user me --kafka-sasl-password-file p",
		remote + "--kafka-tls --kafka-sasl plain --kafka-sasl-user me --kafka-sasl-password-file p",
		remote + "--kafka-sasl scram-sha-512 --kafka-sasl-user me --kafka-sasl-password-file p", // does not send the password
	} {
		if _, _, err := parse(args); err != nil {
			t.Errorf("%s: %v", args, err)
		}
	}
	for _, flag := range []string{"--kafka-tls-ca ca", "--kafka-tls-cert c --kafka-tls-key k", "--kafka-tls-server-name n"} {
		if s, _, err := parse(flag); err != nil || !s.Security.TLS {
			t.Errorf("%s: got TLS %v, %v; want it to be switched on", flag, s.Security.TLS, err)
		}
	}
}
