package ctl

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/batch"
	"example.com/orders/shared/config"
)

// place is the command that places the orders of files.
type place struct {
	Files       []string      `arg:"" help:"Files of orders; - reads stdin."`
	Key         string        `help:"Idempotency key, if the file holds one order. Default: the key in the file; without one, each run places a new order."`
	Wait        time.Duration `help:"Wait this long for each order to be confirmed, at most 60s. If an order is not confirmed by then, the command exits with 1, and the order continues. Default: do not wait."`
	Concurrency int           `default:"16" help:"Maximum number of requests in flight."`
}

// placement is one order of a file, and its result.
type placement struct {
	batch.Order
	file  string
	done  chan struct{} // closed when order and err are set
	order client.Order
	err   error // or nil
}

// errSkipped is the error of an order that was not sent: the API was unreachable, applied
// backpressure, or the program was interrupted.
var errSkipped = errors.New("not sent")

// Run places all orders concurrently and prints a line for each, in file order. If a file cannot be
// read, it places nothing.
func (c *place) Run(ctx context.Context, p *printer, api *client.Client, stdin io.Reader) error {
	if c.Concurrency < 1 || c.Wait < 0 || c.Wait > time.Minute {
		return config.Usage(errors.New("--concurrency must be at least 1, and --wait must be from 0s to 60s"))
	}
	todo, err := c.read(p, stdin)
	if err != nil {
		return err
	}
	p.show(len(todo))
	defer p.hide()
	failed, skipped := 0, 0
	err = c.placeAll(ctx, api, todo, func(one *placement) error {
		switch {
		case errors.Is(one.err, errSkipped):
			skipped++
			return nil
		case one.err != nil:
			failed++
		}
		p.bar.step(one.err != nil)
		return one.print(p, len(todo) > 1)
	})
	switch {
	case err != nil:
		return err
	case skipped > 0:
		err := fmt.Errorf("%d of %d orders failed, %d were not sent", failed, len(todo), skipped)
		return config.Hint(err, "run the same command again: orders with an idempotency key are not placed twice")
	case failed > 0 && len(todo) == 1:
		return todo[0].err
	case failed > 0:
		return fmt.Errorf("%d of %d orders failed", failed, len(todo))
	}
	return nil
}

// read reads all files before anything is placed.
func (c *place) read(p *printer, stdin io.Reader) ([]*placement, error) {
	var todo []*placement
	for _, file := range c.Files {
		orders, said, err := readFile(file, stdin)
		if err != nil {
			return nil, err
		}
		if said != "" {
			p.printError(errors.New(said))
		}
		for _, o := range orders {
			todo = append(todo, &placement{Order: o, file: file, done: make(chan struct{})})
		}
	}
	if c.Key == "" {
		return todo, nil
	}
	if len(todo) != 1 {
		return nil, config.Usage(fmt.Errorf("--key requires exactly one order, got %d", len(todo)))
	}
	todo[0].Key = c.Key
	return todo, nil
}

func readFile(file string, stdin io.Reader) (orders []batch.Order, said string, err error) {
	if file == "-" {
		return batch.Read("stdin", stdin)
	}
	f, err := config.OpenFile(file)
	if err != nil {
		return nil, "", config.Hint(err, "to read the output of another program, pipe it in and give - as the file")
	}
	defer f.Close()
	return batch.Read(file, f)
}

// placeAll places orders concurrently and reports them in order. It skips the rest when the API is
// unreachable or applies backpressure, or when report returns an error.
func (c *place) placeAll(ctx context.Context, api *client.Client, todo []*placement, report func(*placement) error) error {
	ctx, skip := context.WithCancel(ctx)
	defer skip()
	var g errgroup.Group
	g.SetLimit(c.Concurrency + 1) // + 1 for the goroutine that starts the others
	g.Go(func() error {
		for _, one := range todo {
			g.Go(func() error {
				defer close(one.done)
				one.order, one.err = c.placeOne(ctx, api, one.Order)
				if unreachable(one.err) || overdue(one.err) {
					skip()
				}
				return nil
			})
		}
		return nil
	})
	var err error
	for _, one := range todo {
		<-one.done
		if err == nil {
			if err = report(one); err != nil {
				skip()
			}
		}
	}
	return errors.Join(err, g.Wait())
}

// placeOne places an order. An order without a key gets a random one, so that the request can be
// retried.
func (c *place) placeOne(ctx context.Context, api *client.Client, o batch.Order) (client.Order, error) {
	if o.Err != nil {
		return client.Order{}, o.Err
	}
	if o.Key == "" {
		o.Key = rand.Text()
	}
	if ctx.Err() != nil {
		return client.Order{}, errSkipped
	}
	key := headerKey(o.Key)
	if len(key) > maxKey {
		return client.Order{}, fmt.Errorf("idempotency key %.40q must have at most %d characters; one that is not ASCII counts as 6 to 12", o.Key, maxKey)
	}
	var placed client.Order
	requests := 0
	err := withRetry(ctx, func() (err error) {
		placed, err = api.PlaceJSON(ctx, o.Body, key, c.Wait)
		requests++
		return err
	})
	// Of a repeated request, the first may have placed the order now.
	placed.Replayed = placed.Replayed && requests == 1
	switch {
	case err != nil && ctx.Err() != nil:
		return placed, errSkipped
	case err != nil:
		return placed, explain(err)
	}
	return placed, waited(placed, c.Wait)
}

// maxKey is the length of a key that the API accepts.
const maxKey = 200

// headerKey is a key as an HTTP header can carry it. The number that a shop gave an order can have spaces
// and any letters: then it is sent in the form of RFC 8187, section 3.2.
func headerKey(key string) string {
	if checkKey(key) == nil {
		return key
	}
	var encoded strings.Builder
	encoded.WriteString("UTF-8''")
	for _, b := range []byte(key) {
		if 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z' || '0' <= b && b <= '9' || strings.IndexByte("!#$&+-.^_`|~", b) >= 0 {
			encoded.WriteByte(b)
		} else {
			fmt.Fprintf(&encoded, "%%%02X", b)
		}
	}
	return encoded.String()
}

// checkKey refuses a key that an HTTP header cannot carry.
func checkKey(key string) error {
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("idempotency key %q: must consist of visible ASCII characters", key)
	}
	return nil
}

// waited returns an error if an order was not confirmed within the wait.
func waited(o client.Order, wait time.Duration) error {
	switch {
	case wait == 0 || o.Status == confirmed:
		return nil
	case final(o.Status):
		return fmt.Errorf("order %s ended as %s", o.ID, outcome(o))
	}
	return config.Hint(fmt.Errorf("order %s is %s after %s", o.ID, o.Status, wait), "follow it with: ordersctl watch "+o.ID)
}

// print prints the line of an order. With several orders it also prints the error; the error of a
// single order is returned by Run.
func (one *placement) print(p *printer, several bool) error {
	place := fmt.Sprintf("%s:%d", one.file, one.Line)
	if one.err != nil && several {
		p.printError(fmt.Errorf("%s: %w", place, one.err))
	}
	line := struct {
		File  string        `json:"file"`
		Line  int           `json:"line"`
		Key   string        `json:"key,omitempty"`
		Order *client.Order `json:"order,omitempty"`
		// AlreadyPlaced reports that an earlier run, or another line with this key, has placed the order.
		AlreadyPlaced bool   `json:"already_placed,omitempty"`
		Error         string `json:"error,omitempty"`
	}{File: one.file, Line: one.Line, Key: one.Key}
	words := []string{place, one.Key, "failed"}
	if one.order.ID != "" {
		line.Order, line.AlreadyPlaced = &one.order, one.order.Replayed
		words = []string{place, one.Key, brief(one.order)}
		if one.order.Replayed {
			words = []string{place, one.Key, "already placed on", one.order.PlacedAt.UTC().Format("2 January 2006, 15:04 UTC:"), brief(one.order)}
		}
	}
	if one.err != nil {
		line.Error = one.err.Error()
	}
	return p.result(strings.Join(drop(words, ""), " "), line)
}
