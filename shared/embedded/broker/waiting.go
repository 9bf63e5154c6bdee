package broker

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kbin"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// keepEvery is the interval of heartbeats for members that wait. kfake allows sessions of 6 s and more.
const keepEvery = time.Second

// waiting is a listener that knows which members of groups wait for the answer to a JoinGroup or a SyncGroup. Apache Kafka
// keeps a member while it waits, and its session begins with the answer. With kfake the session goes on while the member
// waits, and when it ends the request is dropped without an answer; and a member that is killed during its first join has
// no session, so that its partitions stay assigned until something else rebalances the group. A heartbeat in the member's
// name cures both: one a second while it waits, and a last one when its connection is closed before the answer.
type waiting struct {
	net.Listener
	mu      sync.Mutex
	members []*member
}

// member is a member of a group that waits.
type member struct {
	group, id   string
	correlation uint32 // of its request
	conn        *watched
	gone        bool // its connection is closed
}

// Accept returns the next connection, whose requests are watched.
func (w *waiting) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &watched{Conn: c, waiting: w}, nil
}

// keep keeps the members that wait, until the returned function is called, which has to be before the cluster is closed.
func (w *waiting) keep(cluster *kfake.Cluster, opts ...kgo.Opt) (stop func(), err error) {
	cl, err := kgo.NewClient(append(opts, kgo.SeedBrokers(cluster.ListenAddrs()...))...)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for tick := time.Tick(keepEvery); ; {
			select {
			case <-ctx.Done():
				return
			case <-tick:
				w.beat(ctx, cluster.GroupInfo, cl.SeedBrokers()[0])
			}
		}
	}()
	return func() {
		cancel()
		<-ended
		cl.Close()
	}, nil
}

// beat sends a heartbeat for each member that waits.
func (w *waiting) beat(ctx context.Context, info func(group string) *kfake.GroupInfo, broker kmsg.Requestor) {
	for _, m := range w.list() {
		if ctx.Err() == nil && heartbeat(ctx, info(m.group), m, broker) && m.gone {
			w.forget(m.conn, m.correlation)
		}
	}
}

// heartbeat begins another session of a member. It returns false when it is to be sent again.
func heartbeat(ctx context.Context, group *kfake.GroupInfo, m member, broker kmsg.Requestor) bool {
	if group == nil {
		return true
	}
	req := kmsg.NewHeartbeatRequest()
	req.Group, req.Generation, req.MemberID = m.group, group.Epoch, m.id
	resp, err := req.RequestWith(ctx, broker)
	// The group may have gone on to its next generation since it was asked for.
	return err == nil && !errors.Is(kerr.ErrorForCode(resp.ErrorCode), kerr.IllegalGeneration)
}

// list returns who waits now.
func (w *waiting) list() []member {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []member
	for _, m := range w.members {
		all = append(all, *m)
	}
	return all
}

func (w *waiting) add(m *member) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.members = append(w.members, m)
}

// forget ends the waiting for the answer to a request.
func (w *waiting) forget(c *watched, correlation uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.members = slices.DeleteFunc(w.members, func(m *member) bool { return m.conn == c && m.correlation == correlation })
}

// leave marks the members that wait for an answer over a connection, which is closed.
func (w *waiting) leave(c *watched) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, m := range w.members {
		m.gone = m.gone || m.conn == c
	}
}

// watched is a connection whose requests to join are known.
type watched struct {
	net.Conn
	waiting *waiting
	begun   bytes.Reader // what was read ahead of a request
	rest    int64        // bytes of the request that were not
}

// Read reads whole heads of requests ahead, and whole requests to join. kfake calls it from one goroutine at a time.
func (c *watched) Read(p []byte) (int, error) {
	if c.begun.Len() == 0 && c.rest == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	if c.begun.Len() > 0 {
		return c.begun.Read(p)
	}
	n, err := c.Conn.Read(p[:min(int64(len(p)), c.rest)])
	c.rest -= int64(n)
	return n, err
}

// Write is called with a whole answer.
func (c *watched) Write(p []byte) (int, error) {
	const size = 4 // bytes; the correlation ID comes next
	c.waiting.forget(c, binary.BigEndian.Uint32(p[size:]))
	return c.Conn.Write(p)
}

// Close ends the waiting of members over this connection.
func (c *watched) Close() error {
	c.waiting.leave(c)
	return c.Conn.Close()
}

// next reads the head of the next request, or all of it.
func (c *watched) next() error {
	const size, head = 4, 8 // bytes; the head is key, version and correlation ID
	var b bytes.Buffer
	if _, err := io.CopyN(&b, c.Conn, size+head); err != nil {
		return err
	}
	c.rest = int64(binary.BigEndian.Uint32(b.Bytes())) - head
	if c.rest < 0 {
		return io.ErrUnexpectedEOF
	}
	switch kmsg.Key(binary.BigEndian.Uint16(b.Bytes()[size:])) {
	case kmsg.JoinGroup, kmsg.SyncGroup:
		if _, err := io.CopyN(&b, c.Conn, c.rest); err != nil {
			return err
		}
		c.rest = 0
		if m := joining(b.Bytes()[size:]); m != nil {
			m.conn = c
			c.waiting.add(m)
		}
	}
	c.begun.Reset(b.Bytes())
	return nil
}

// joining returns the member that sends a JoinGroup or a SyncGroup, or nil: one that has no ID yet is answered at once.
func joining(request []byte) *member {
	r := kbin.Reader{Src: request}
	req := kmsg.RequestForKey(r.Int16())
	req.SetVersion(r.Int16())
	m := &member{correlation: uint32(r.Int32())}
	r.NullableString() // client ID
	if req.IsFlexible() {
		kmsg.SkipTags(&r)
	}
	if err := req.ReadFrom(r.Src); err != nil {
		return nil
	}
	switch req := req.(type) {
	case *kmsg.JoinGroupRequest:
		m.group, m.id = req.Group, req.MemberID
	case *kmsg.SyncGroupRequest:
		m.group, m.id = req.Group, req.MemberID
	}
	if m.id == "" {
		return nil
	}
	return m
}
