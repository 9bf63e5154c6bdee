package config

import (
	"fmt"
	"strings"
)

// Access are the settings of every program that listens: who may reach its addresses, and by which names. The zero value
// is this machine only.
type Access struct {
	AllowRemote  bool     `env:"ORDERS_ALLOW_REMOTE" help:"Listen on addresses that other machines reach. There is no sign-in: they may do everything."`
	AllowedHosts []string `env:"ORDERS_ALLOWED_HOSTS" placeholder:"NAME" help:"Host names by which HTTP requests may address this program, besides localhost and its IP addresses."`
}

// Validate is called by Parse.
func (a *Access) Validate() error {
	for _, host := range a.AllowedHosts {
		if host == "" || strings.ContainsAny(host, ":/*@ ") {
			return fmt.Errorf("--allowed-hosts %q: must be host names without scheme and port, such as orders.example.com", host)
		}
	}
	return nil
}
