// Command ordersctl places and follows orders, replays dead letters, and checks the topics.
package main

import (
	"context"
	"io"
	"os"

	"example.com/orders/services/order-api/ctl"
	"example.com/orders/shared/config"
)

func main() {
	config.Main("ordersctl", func(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
		return ctl.Run(ctx, args, env, os.Stdin, stdout, stderr)
	})
}
