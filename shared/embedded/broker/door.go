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
	maxProduce = 32 << 20  // bytes of a produce request; our clients send batches of 1 MB, one a partition
	maxRequest = 256 << 10 // bytes of any other request

	maxPartitions = 1_000 // of a topic that a client makes

	firstWithin   = 15 * time.Second // a connection's first request
	idleFor       = 10 * time.Minute // between two requests, as Kafka's connections.max.idle.ms
	requestWithin = 30 * time.Second // a request, from its size to its last byte
	answerWithin  = time.Minute      // for a client to take an answer

	minPause, maxPause = 5 * time.Millisecond, time.Second // before another Accept
	quiet              = 10 * time.Second                  // between two lines of the log
)

// door is the listener that kfake sees. kfake believes what clients send: an unknown request ends the process with a panic
// that nobody can recover, a size is allocated before a byte of it has come, and the first error of Accept is the last. So
// the door passes on whole requests only, which it has read itself, and goes on accepting when the process is out of
// descriptors.
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

// Accept returns the next connection. Its only error is that the door is closed.
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

// visitor is a connection from which only requests can be read that kfake can read, too.
type visitor struct {
	net.Conn
	door     *door
	patience time.Duration // for the next request to begin
	request  bytes.Reader  // what is left of the one that was read
	once     sync.Once     // leaves the door
}

// Read returns bytes of the request that was read last, or reads the next one. kfake calls it from one goroutine at a time.
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

// Write gives a client that does not read a bounded time.
func (v *visitor) Write(p []byte) (int, error) {
	if err := v.SetWriteDeadline(time.Now().Add(answerWithin)); err != nil {
		return 0, err
	}
	return v.Conn.Write(p)
}

// Close also makes room for another connection.
func (v *visitor) Close() error {
	v.once.Do(func() { v.door.open.Add(-1) })
	return v.Conn.Close()
}

// next reads a whole request. What it takes of memory grows with what has come, not with what the size says.
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

// unreadable says what a client sent that is no request.
type unreadable struct{ what string }

// Error is what was sent.
func (u *unreadable) Error() string { return u.what }

// check reads a request as kfake will, where a panic can still be recovered.
func check(request []byte) (err error) {
	r := kbin.Reader{Src: request}
	key, version := r.Int16(), r.Int16()
	defer func() {
		if p := recover(); p != nil {
			err = &unreadable{fmt.Sprintf("a request with key %d that cannot be read: %v", key, p)}
		}
	}()
	req := kmsg.RequestForKey(key)
	// Of ApiVersions, clients send a version that is too new, to be told which one is not.
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

// harmful says what of a request that can be read would stop kfake, or returns "": it makes all partitions that it is asked
// for, and keeps settings of the broker with which it does not start again.
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

// seldom returns what logs a warning, unless another was logged just before: strangers must not fill the log. Its count
// is how many there were since the last line.
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
