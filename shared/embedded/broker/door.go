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

// door is the listener of kfake. kfake trusts its clients: it panics on an unknown request, it
// allocates the announced size before it has read a byte, and it stops at the first error of
// Accept. The door therefore reads whole requests, validates them, and passes on valid ones only.
// It keeps accepting when the process has run out of file descriptors.
type door struct {
	net.Listener
	warn   func(what string, err error)
	open   atomic.Int64
	closed chan struct{}
	once   sync.Once // closes closed
}

func newDoor(ln net.Listener, log *slog.Logger) *door {
	return &door{Listener: ln, warn: seldom(log), closed: make(chan struct{})}
}

// Accept returns the next connection. It fails only when the door is closed.
func (d *door) Accept() (net.Conn, error) {
	pause := minPause
	for {
		c, err := d.Listener.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return nil, err
		case err != nil:
			d.warn("accepting a connection", err)
			select {
			case <-time.After(pause):
			case <-d.closed:
				return nil, net.ErrClosed
			}
			pause = min(2*pause, maxPause)
			continue
		}
		pause = minPause
		if d.open.Add(1) <= maxConns {
			return &visitor{Conn: c, door: d, patience: firstWithin}, nil
		}
		d.open.Add(-1)
		d.warn("connection refused", fmt.Errorf("%d connections are open", maxConns))
		c.Close()
	}
}

// Close ends Accept.
func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Listener.Close()
}

// visitor is a connection that yields valid requests only.
type visitor struct {
	net.Conn
	door     *door
	patience time.Duration // until the next request begins
	request  bytes.Reader  // rest of the current request
	once     sync.Once     // decrements door.open
}

// Read returns bytes of the current request, or reads the next one. kfake calls it from one
// goroutine at a time.
func (v *visitor) Read(p []byte) (int, error) {
	if v.request.Len() == 0 {
		if err := v.next(); err != nil {
			if _, refused := errors.AsType[*unreadable](err); refused {
				v.door.warn("connection closed", fmt.Errorf("%s sent %w", v.RemoteAddr(), err))
			}
			return 0, err
		}
	}
	return v.request.Read(p)
}

// Write fails if the client does not read the response in time.
func (v *visitor) Write(p []byte) (int, error) {
	if err := v.SetWriteDeadline(time.Now().Add(answerWithin)); err != nil {
		return 0, err
	}
	return v.Conn.Write(p)
}

// Close closes the connection and frees its slot.
func (v *visitor) Close() error {
	v.once.Do(func() { v.door.open.Add(-1) })
	return v.Conn.Close()
}

// next reads a whole request. It allocates as data arrives, not by the announced size.
func (v *visitor) next() error {
	const size, head = 4, 8 // bytes; the head is key, version and correlation ID
	if err := v.SetReadDeadline(time.Now().Add(v.patience)); err != nil {
		return err
	}
	var b bytes.Buffer
	if _, err := io.CopyN(&b, v.Conn, size); err != nil {
		return err
	}
	n := int64(binary.BigEndian.Uint32(b.Bytes()))
	if n < head || n > maxProduce {
		return &unreadable{fmt.Sprintf("a request of %d bytes", n)}
	}
	if err := v.SetReadDeadline(time.Now().Add(requestWithin)); err != nil {
		return err
	}
	if _, err := io.CopyN(&b, v.Conn, head); err != nil {
		return err
	}
	if key := binary.BigEndian.Uint16(b.Bytes()[size:]); key != uint16(kmsg.Produce) && n > maxRequest {
		return &unreadable{fmt.Sprintf("a request of %d bytes with key %d", n, key)}
	}
	if _, err := io.CopyN(&b, v.Conn, n-head); err != nil {
		return err
	}
	if err := check(b.Bytes()[size:]); err != nil {
		return err
	}
	v.patience = idleFor
	v.request.Reset(b.Bytes())
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
