package config

import (
	"fmt"
	"strings"
)

// Access are the settings of every program that listens: from where it may be reached, and under
// which host names. The zero value allows this machine only.
type Access struct {
	AllowRemote  bool     `env:"ORDERS_ALLOW_REMOTE" help:"Allow this program to listen on addresses that other machines can reach. The order API then requires sign-in. Health checks, metrics, the mail inbox and the embedded servers have none: any client may use them."`
	AllowedHosts []string `env:"ORDERS_ALLOWED_HOSTS" placeholder:"NAME" help:"Accept HTTP requests for these host names, in addition to localhost and the IP addresses of this machine."`
}

// Validate is called by Parse.
func (a *Access) Validate() error {
	for _, host := range a.AllowedHosts {
		if host == "" || strings.ContainsAny(host, ":/*@ ") {
			return fmt.Errorf("--allowed-hosts %q: must be a host name without scheme and port, such as orders.example.com", host)
		}
	}
	return nil
}
