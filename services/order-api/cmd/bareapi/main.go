// Command bareapi appends the body of each request to a topic, and promises nothing.
//
// It is a floor of scripts/bench: what a handler costs that decodes JSON and waits for Kafka,
// without validation, prices, permissions, limits and a read model.
package main

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/config"
	"example.com/orders/shared/kafka"
	"example.com/orders/shared/serve"
	"example.com/orders/shared/telemetry"
	"example.com/orders/shared/topic"
)

func main() { config.Main("bareapi", run) }

type settings struct {
	config.Kafka
	telemetry.Log
	HTTP string `name:"http" default:"127.0.0.1:8080" help:"Address to listen on."`
}

func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	var s settings
	if err := config.Parse(&s, "bareapi", "Appends the body of each POST to the topic of orders.", args, env, stdout, stderr); err != nil {
		return err
	}
	cl, err := kafka.Config{Brokers: s.Brokers}.Connect(ctx)
	if err != nil {
		return err
	}
	defer cl.Close()
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", s.HTTP)
	if err != nil {
		return err
	}
	s.Logger(stderr).Info("listening", telemetry.Address, ln.Addr().String())
	return serve.Run(ctx, ln, handler(cl, topic.Names(s.Prefix).Orders), time.Second)
}

// handler appends orders, and answers a GET with the last one.
func handler(cl *kgo.Client, orders string) http.Handler {
	var last atomic.Pointer[client.NewOrder]
	e := echo.New()
	e.POST("/v1/orders", func(c echo.Context) error {
		var o client.NewOrder
		if err := c.Bind(&o); err != nil {
			return err
		}
		value, err := json.Marshal(o)
		if err != nil {
			return err
		}
		r := &kgo.Record{Topic: orders, Value: value}
		if err := cl.ProduceSync(c.Request().Context(), r).FirstErr(); err != nil {
			return err
		}
		last.Store(&o)
		return c.JSON(http.StatusAccepted, o)
	})
	e.GET("/v1/orders/:id", func(c echo.Context) error { return c.JSON(http.StatusOK, last.Load()) })
	return e
}
