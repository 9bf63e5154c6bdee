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
	Files       []string      `arg:"" help:"Files of orders, or - for stdin."`
	Key         string        `help:"Idempotency key of the one order. Without it, and without one in the file, each run places a new order."`
	Wait        time.Duration `help:"Wait this long for each order (at most 60s), and count it as failed when it is not confirmed then."`
	Concurrency int           `default:"16" help:"Orders on their way at once."`
}

// placement is one order of a file, and what came of it.
type placement struct {
	batch.Order
	file  string
	done  chan struct{} // closed when order and err are set
	order client.Order
	err   error // or nil
}

// errSkipped is the end of an order that was not tried, because the API is not there or takes no more, or the program was told to stop.
var errSkipped = errors.New("not tried")

// Run places all orders, several at once, and prints a line for each, in the order of the files. Nothing is placed when a file cannot be read.
func (c *place) Run(ctx context.Context, p *printer, api *client.Client, stdin io.Reader) error {
	if c.Concurrency < 1 || c.Wait < 0 || c.Wait > time.Minute {
		return config.Usage(errors.New("--concurrency must be at least 1, and --wait at most 60s"))
	}
	todo, err := c.read(stdin)
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
		err := fmt.Errorf("%d of %d orders failed, and %d were not tried", failed, len(todo), skipped)
		return config.Hint(err, "run the same command again: an order that has a key is placed once")
	case failed > 0 && len(todo) == 1:
		return todo[0].err
	case failed > 0:
		return fmt.Errorf("%d of %d orders failed", failed, len(todo))
	}
	return nil
}

// read reads all files before anything is placed.
func (c *place) read(stdin io.Reader) ([]*placement, error) {
	var todo []*placement
	for _, file := range c.Files {
		orders, err := readFile(file, stdin)
		if err != nil {
			return nil, err
		}
		for _, o := range orders {
			todo = append(todo, &placement{Order: o, file: file, done: make(chan struct{})})
		}
	}
	if c.Key == "" {
		return todo, nil
	}
	if len(todo) != 1 {
		return nil, config.Usage(fmt.Errorf("--key is for one order, and there are %d", len(todo)))
	}
	todo[0].Key = c.Key
	return todo, nil
}

func readFile(file string, stdin io.Reader) ([]batch.Order, error) {
	if file == "-" {
		return batch.Read("stdin", stdin)
	}
	f, err := config.OpenFile(file)
	if err != nil {
		return nil, config.Hint(err, "the output of another program is read from stdin: name it -")
	}
	defer f.Close()
	return batch.Read(file, f)
}

// placeAll places orders side by side and reports each in its turn. When the API is not there or takes no more, or report
// returns an error, the rest is skipped.
func (c *place) placeAll(ctx context.Context, api *client.Client, todo []*placement, report func(*placement) error) error {
	ctx, skip := context.WithCancel(ctx)
	defer skip()
	var g errgroup.Group
	g.SetLimit(c.Concurrency + 1) // the goroutine that starts the others is one of them
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

// placeOne places an order. One without a key gets one that no other has, so that it can be tried again.
func (c *place) placeOne(ctx context.Context, api *client.Client, o batch.Order) (client.Order, error) {
	if o.Err != nil {
		return client.Order{}, o.Err
	}
	if o.Key == "" {
		o.Key = rand.Text()
	}
	if err := checkKey(o.Key); err != nil {
		return client.Order{}, err
	}
	if ctx.Err() != nil {
		return client.Order{}, errSkipped
	}
	var placed client.Order
	err := patiently(ctx, func() (err error) {
		placed, err = api.PlaceJSON(ctx, o.Body, o.Key, c.Wait)
		return err
	})
	switch {
	case err != nil && ctx.Err() != nil:
		return placed, errSkipped
	case err != nil:
		return placed, explain(err)
	}
	return placed, waited(placed, c.Wait)
}

// checkKey looks at a key that travels in a header: others could not even be sent.
func checkKey(key string) error {
	if strings.ContainsFunc(key, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return fmt.Errorf("idempotency key %q: must be visible ASCII characters", key)
	}
	return nil
}

// waited says what is wrong with an order that was waited for.
func waited(o client.Order, wait time.Duration) error {
	switch {
	case wait == 0 || o.Status == confirmed:
		return nil
	case final(o.Status):
		return fmt.Errorf("order %s ended as %s", o.ID, outcome(o))
	}
	return config.Hint(fmt.Errorf("order %s is %s after %s", o.ID, o.Status, wait), "follow it with: ordersctl watch "+o.ID)
}

// print prints the line of an order, and what went wrong with one of several: the error of a single one ends the program.
func (one *placement) print(p *printer, several bool) error {
	place := fmt.Sprintf("%s:%d", one.file, one.Line)
	if one.err != nil && several {
		p.complain(fmt.Errorf("%s: %w", place, one.err))
	}
	line := struct {
		File  string        `json:"file"`
		Line  int           `json:"line"`
		Key   string        `json:"key,omitempty"`
		Order *client.Order `json:"order,omitempty"`
		Error string        `json:"error,omitempty"`
	}{File: one.file, Line: one.Line, Key: one.Key}
	words := []string{place, one.Key, "failed"}
	if one.order.ID != "" {
		line.Order = &one.order
		words = []string{place, one.Key, brief(one.order)}
	}
	if one.err != nil {
		line.Error = one.err.Error()
	}
	return p.result(strings.Join(drop(words, ""), " "), line)
}
