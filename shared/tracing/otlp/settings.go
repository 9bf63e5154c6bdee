package otlp

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"example.com/orders/shared/config"
)

// maxPEM is in bytes: the largest file of certificates or of a key.
const maxPEM = 1 << 20

// check refuses values that the exporter and the SDK would ignore, after they had printed them. Headers can be secret: its errors do not
// have their values.
func (env Env) check() error {
	for _, prefix := range []string{"OTEL_EXPORTER_OTLP_", "OTEL_EXPORTER_OTLP_TRACES_"} {
		err := env.each(prefix, map[string]func(string) error{
			"HEADERS": headers, "CERTIFICATE": authorities, "TIMEOUT": duration, "COMPRESSION": compression,
		})
		if err != nil {
			return err
		}
		if err := env.identity(prefix+"CLIENT_CERTIFICATE", prefix+"CLIENT_KEY"); err != nil {
			return err
		}
	}
	return env.each("OTEL_BSP_", map[string]func(string) error{
		"SCHEDULE_DELAY": duration, "EXPORT_TIMEOUT": duration, "MAX_QUEUE_SIZE": size, "MAX_EXPORT_BATCH_SIZE": size,
	})
}

// each checks the variables that are set, of those that begin with the prefix.
func (env Env) each(prefix string, checks map[string]func(string) error) error {
	for name, check := range checks {
		if value := strings.TrimSpace(env(prefix + name)); value != "" {
			if err := check(value); err != nil {
				return fmt.Errorf("%s: %w", prefix+name, err)
			}
		}
	}
	return nil
}

// headerName is a token of RFC 9110, section 5.6.2.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

func headers(list string) error {
	for header := range strings.SplitSeq(list, ",") {
		name, value, found := strings.Cut(header, "=")
		if _, err := url.PathUnescape(value); !found || err != nil || !headerName.MatchString(strings.TrimSpace(name)) {
			return errors.New("must be NAME=VALUE, separated by commas; a value is encoded as in a URL, such as Basic%20dXNlcg")
		}
	}
	return nil
}

func authorities(path string) error {
	text, err := config.ReadFile(path, maxPEM)
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(text) {
		err = fmt.Errorf("%s has no certificate in PEM format", path)
	}
	return err
}

func duration(text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 0 {
		return fmt.Errorf("is %q: must be a whole number of milliseconds", text)
	}
	return nil
}

func size(text string) error {
	if n, err := strconv.Atoi(text); err != nil || n < 1 {
		return fmt.Errorf("is %q: must be a whole number above 0", text)
	}
	return nil
}

func compression(name string) error {
	if name != "gzip" && name != "none" {
		return fmt.Errorf("is %q: must be gzip or none", name)
	}
	return nil
}

// identity checks the certificate of this program and its key.
func (env Env) identity(certName, keyName string) error {
	cert, key := strings.TrimSpace(env(certName)), strings.TrimSpace(env(keyName))
	if cert == "" && key == "" {
		return nil
	}
	if cert == "" || key == "" {
		return fmt.Errorf("%s and %s: set both, or neither", certName, keyName)
	}
	chain, err := config.ReadFile(cert, maxPEM)
	if err != nil {
		return fmt.Errorf("%s: %w", certName, err)
	}
	private, err := config.ReadFile(key, maxPEM)
	if err != nil {
		return fmt.Errorf("%s: %w", keyName, err)
	}
	if _, err := tls.X509KeyPair(chain, private); err != nil {
		return fmt.Errorf("%s, %s: %w", certName, keyName, err)
	}
	return nil
}
