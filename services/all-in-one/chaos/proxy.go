package main

import (
	"context"
	"net"
	"sync"
	"time"
)

// proxy passes connections on to a broker, and makes them slow or cuts them when it is told to. The zero delay is as fast as it goes.
type proxy struct {
	to     string
	ln     net.Listener
	copies sync.WaitGroup

	mu   sync.Mutex
	away bool
	slow delay
	open map[net.Conn]struct{} // both ends of each connection
}

// delay is what each chunk of at most 16 KiB suffers.
type delay struct {
	latency time.Duration
	rate    int // bytes a second; zero: no limit
}

func (d delay) of(n int) time.Duration {
	if d.rate == 0 {
		return d.latency
	}
	return d.latency + time.Duration(n)*time.Second/time.Duration(d.rate)
}

// newProxy listens at an address.
func newProxy(ctx context.Context, address, to string) (*proxy, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	return &proxy{to: to, ln: ln, open: map[net.Conn]struct{}{}}, nil
}

// run passes connections on until ctx is done, and returns when all are closed.
func (p *proxy) run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { p.ln.Close(); p.cut(true) })
	defer stop()
	defer p.copies.Wait()
	for {
		from, err := p.ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		to, err := new(net.Dialer).DialContext(ctx, "tcp", p.to)
		if err != nil || !p.admit(from, to) {
			from.Close()
			if err == nil {
				to.Close()
			}
			continue
		}
		p.copies.Go(func() { p.pass(from, to) })
		p.copies.Go(func() { p.pass(to, from) })
	}
}

// pass copies one direction, and closes both when that ends: Kafka's clients close none of them by half.
func (p *proxy) pass(from, to net.Conn) {
	defer p.close(from, to)
	chunk := make([]byte, 16<<10)
	for {
		n, err := from.Read(chunk)
		if n > 0 {
			p.mu.Lock()
			slow := p.slow
			p.mu.Unlock()
			time.Sleep(slow.of(n))
			if _, err := to.Write(chunk[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// cut closes every connection; away also refuses new ones, until it is called again.
func (p *proxy) cut(away bool) {
	p.mu.Lock()
	p.away = away
	var all []net.Conn
	for c := range p.open {
		all = append(all, c)
	}
	p.mu.Unlock()
	p.close(all...)
}

// delay makes all connections slow, or with a zero delay fast again.
func (p *proxy) delay(d delay) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = d
}

func (p *proxy) admit(ends ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range ends {
		if !p.away {
			p.open[c] = struct{}{}
		}
	}
	return !p.away
}

func (p *proxy) close(ends ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range ends {
		c.Close()
		delete(p.open, c)
	}
}
