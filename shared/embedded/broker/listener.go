package broker

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/shared/telemetry"
)

const (
	maxConns   = 1_000
	maxProduce = 32 << 20  // bytes of a produce request: batches of 1 MB, one per partition
	maxRequest = 256 << 10 // bytes of any other request

	maxPartitions = 1_000 // of a topic that a client creates

	firstWithin   = 15 * time.Second // until the first request of a connection
	idleFor       = 10 * time.Minute // between two requests, as Kafka's connections.max.idle.ms
	requestWithin = 30 * time.Second // from the size of a request to its last byte
	answerWithin  = time.Minute      // to write a response

	minPause, maxPause = 5 * time.Millisecond, time.Second // between failing calls of Accept
	quiet              = 10 * time.Second                  // between two log lines
)

// listener is the listener of kfake. kfake trusts its clients: it panics on an unknown request, it
// allocates the announced size before it has read a byte, and it stops at the first error of
// Accept. The listener therefore reads whole requests, validates them, and passes on valid ones
// only. It keeps accepting when the process has run out of file descriptors.
type listener struct {
	net.Listener
	warn   func(what string, err error)
	open   atomic.Int64
	closed chan struct{}
	once   sync.Once // closes closed
}

func newListener(ln net.Listener, log *slog.Logger) *listener {
	return &listener{Listener: ln, warn: seldom(log), closed: make(chan struct{})}
}

// Accept returns the next connection. It fails only when the listener is closed.
func (l *listener) Accept() (net.Conn, error) {
	pause := minPause
	for {
		c, err := l.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil:
			l.warn("accepting a connection", err)
			select {
			case <-time.After(pause):
			case <-l.closed:
				return nil, net.ErrClosed
			}
			pause = min(2*pause, maxPause)
			continue
		}
		pause = minPause
		if l.open.Add(1) <= maxConns {
			return &conn{Conn: c, listener: l, patience: firstWithin}, nil
		}
		l.open.Add(-1)
		l.warn("connection refused", fmt.Errorf("%d connections are open", maxConns))
		c.Close()
	}
}

// Close ends Accept.
func (l *listener) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

// conn is a connection that yields valid requests only.
type conn struct {
	net.Conn
	listener *listener
	patience time.Duration // until the next request begins
	request  bytes.Reader  // rest of the current request
	once     sync.Once     // decrements listener.open
}

// Read returns bytes of the current request, or reads the next one. kfake calls it from one
// goroutine at a time.
func (c *conn) Read(p []byte) (int, error) {
	if c.request.Len() == 0 {
		if err := c.next(); err != nil {
			if _, refused := errors.AsType[*unreadable](err); refused {
				c.listener.warn("connection closed", fmt.Errorf("%s sent %w", c.RemoteAddr(), err))
			}
			return 0, err
		}
	}
	return c.request.Read(p)
}

// Write fails if the client does not read the response in time.
func (c *conn) Write(p []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(answerWithin)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}

// Close closes the connection and frees its slot.
func (c *conn) Close() error {
	c.once.Do(func() { c.listener.open.Add(-1) })
	return c.Conn.Close()
}

// next reads a whole request. It allocates as data arrives, not by the announced size.
func (c *conn) next() error {
	const size, head = 4, 8 // bytes; the head is key, version and correlation ID
	if err := c.SetReadDeadline(time.Now().Add(c.patience)); err != nil {
		return err
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, c.Conn, size); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(b.Bytes()))
	if n < head || n > maxProduce {
		return &unreadable{fmt.Sprintf("a request of %d bytes", n)}
	}
	if err := c.SetReadDeadline(time.Now().Add(requestWithin)); err != nil {
		return err
	}
	if _, err := io.CopyN(&b, c.Conn, head); err != nil {
		return err
	}
	if key := binary.BigEndian.Uint16(b.Bytes()[size:]); key != uint16(kmsg.Produce) && n > maxRequest {
		return &unreadable{fmt.Sprintf("a request of %d bytes with key %d", n, key)}
	}
	if _, err := io.CopyN(&b, c.Conn, n-head); err != nil {
		return err
	}
	if err := check(b.Bytes()[size:]); err != nil {
		return err
	}
	c.patience = idleFor
	c.request.Reset(b.Bytes())
	return nil
}

// unreadable is the error of an invalid request.
type unreadable struct{ what string }

// Error describes the request.
func (u *unreadable) Error() string { return u.what }

// check parses a request as kfake does, and recovers from panics.
func check(request []byte) (err error) {
	r := kbin.Reader{Src: request}
	key, version := r.Int16(), r.Int16()
	defer func() {
		if p := recover(); p != nil {
			err = &unreadable{fmt.Sprintf("a request with key %d that cannot be read: %v", key, p)}
		}
	}()
	req := kmsg.RequestForKey(key)
	// Clients may send ApiVersions in a version that is too new: the response says which versions
	// are supported.
	if req == nil || version < 0 || version > req.MaxVersion() && key != int16(kmsg.ApiVersions) {
		return &unreadable{fmt.Sprintf("a request with key %d in version %d, which does not exist", key, version)}
	}
	req.SetVersion(version)
	r.Int32()          // correlation ID
	r.NullableString() // client ID
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if !r.Ok() {
		return &unreadable{fmt.Sprintf("a request with key %d and a header that cannot be read", key)}
	}
	if err := req.ReadFrom(r.Src); err != nil {
		return &unreadable{fmt.Sprintf("a request with key %d that cannot be read: %v", key, err)}
	}
	if what := harmful(req); what != "" {
		return &unreadable{what}
	}
	return nil
}

// harmful describes a valid request that would stop kfake, or returns "". kfake creates any number
// of partitions, and stores broker settings with which it cannot restart.
func harmful(req kmsg.Request) string {
	var partitions int32
	broker := false
	switch req := req.(type) {
	case *kmsg.CreateTopicsRequest:
		for _, t := range req.Topics {
			partitions = max(partitions, t.NumPartitions)
		}
	case *kmsg.CreatePartitionsRequest:
		for _, t := range req.Topics {
			partitions = max(partitions, t.Count)
		}
	case *kmsg.AlterConfigsRequest:
		for _, r := range req.Resources {
			broker = broker || r.ResourceType == kmsg.ConfigResourceTypeBroker
		}
	case *kmsg.IncrementalAlterConfigsRequest:
		for _, r := range req.Resources {
			broker = broker || r.ResourceType == kmsg.ConfigResourceTypeBroker
		}
	}
	switch {
	case partitions > maxPartitions:
		return fmt.Sprintf("a request for a topic with %d partitions", partitions)
	case broker:
		return "a request for other settings of the broker"
	}
	return ""
}

// seldom returns a function that logs at most one warning per interval, so that clients cannot fill
// the log. The count of a line includes the warnings that were suppressed before it.
func seldom(log *slog.Logger) func(what string, err error) {
	var mu sync.Mutex
	var next time.Time
	var more int
	return func(what string, err error) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		if log == nil || now.Before(next) {
			more++
			return
		}
		log.Warn("embedded broker: "+what, slog.String(telemetry.Error, err.Error()), slog.Int(telemetry.Count, more+1))
		next, more = now.Add(quiet), 0
	}
}
