package ctl

import (
	"context"

	"example.com/orders/services/order-api/client"
)

// ready is the command that checks the API, as for the health check of a container.
type ready struct{}

// Run asks once. It needs no sign-in.
func (*ready) Run(ctx context.Context, p *printer, api *client.Client) error {
	if err := api.Ready(ctx); err != nil {
		return explain(err)
	}
	return p.result("ready", map[string]bool{"ready": true})
}
