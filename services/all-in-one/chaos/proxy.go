package main

import (
	"context"
	"net"
	"sync"
	"time"
)

// proxy forwards connections to a broker. It can delay and cut them.
type proxy struct {
	to     string
	ln     net.Listener
	copies sync.WaitGroup

	mu       sync.Mutex
	refusing bool
	slow     delay
	open     map[net.Conn]struct{} // both ends of each connection
}

// delay is applied to each chunk of at most 16 KiB. The zero value is no delay.
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

// run forwards connections until ctx is done. It returns when all are closed.
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

// pass copies one direction. At its end it closes both connections: Kafka clients do not
// half-close.
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

// cut closes all connections. With refuse, new ones are refused until the next call.
func (p *proxy) cut(refuse bool) {
	p.mu.Lock()
	p.refusing = refuse
	var all []net.Conn
	for c := range p.open {
		all = append(all, c)
	}
	p.mu.Unlock()
	p.close(all...)
}

// delay sets the delay of all connections.
func (p *proxy) delay(d delay) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow = d
}

func (p *proxy) admit(ends ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range ends {
		if !p.refusing {
			p.open[c] = struct{}{}
		}
	}
	return !p.refusing
}

func (p *proxy) close(ends ...net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range ends {
		c.Close()
		delete(p.open, c)
	}
}
