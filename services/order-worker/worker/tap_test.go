//go:build synctests

package worker_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/orders/services/order-worker/worker"
	"example.com/orders/shared/dlq"
	"example.com/orders/shared/wire"
)

// said is one thing that a worker says: to Kafka, or to the mail server.
type said struct {
	what  string // "claim", "invoice", "void", "dead letter", "parked", a status, "fetch", "commit", "RCPT", "DATA", or the dot that ends a mail
	who   string // the order's ID or recipient; "" where there is none
	topic string
	// Place in topic: of the order that a record is about, of what is fetched next, or of what is committed.
	partition int32
	offset    int64
}

// moment is when a worker dies: just before it says a thing, or after it, before the answer reaches it.
type moment struct {
	after bool
	said  func(said) bool
}

// process is a worker as the world sees it: its connections, which a tap listens to. When it dies it is cut off from
// everything for ever, so that nothing it does afterwards counts. It needs no seam in the worker: connections are settings.
type process struct {
	topics map[[16]byte]string
	answer func(recipient string) string // of the mail server to RCPT; or "": its own
	died   chan struct{}

	mu    sync.Mutex
	end   *moment // or nil
	dead  bool
	conns []net.Conn
}

// tap puts a process between a worker and the world. The mail server answers to RCPT as answer says; "" is its own answer.
func (s *shop) tap(t *testing.T, c *worker.Config, answer func(recipient string) string) *process {
	t.Helper()
	details, err := kadm.NewClient(s.Client).ListTopics(kadm.WithAuthorizedOps(t.Context())) // which no cache answers
	if err != nil {
		t.Fatal(err)
	}
	p := &process{topics: map[[16]byte]string{}, answer: answer, died: make(chan struct{})}
	for _, d := range details {
		p.topics[d.ID] = d.Topic
	}
	dial := c.Kafka.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	c.Kafka.Dial = p.dial(dial, func(c net.Conn) net.Conn { return &kafkaTap{Conn: c, p: p} })
	c.DialMail = p.dial(c.DialMail, func(c net.Conn) net.Conn { return &mailTap{Conn: c, p: p} })
	return p
}

// dies sets the moment at which the process dies.
func (p *process) dies(m moment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end = &m
}

type dialer = func(ctx context.Context, network, address string) (net.Conn, error)

var errDied = errors.New("the process has died")

func (p *process) dial(dial dialer, tapped func(net.Conn) net.Conn) dialer {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.dead {
			conn.Close()
			return nil, &net.OpError{Op: "dial", Net: network, Err: syscall.ECONNREFUSED}
		}
		p.conns = append(p.conns, conn)
		return tapped(conn), nil
	}
}

// observe is called before anything said is passed on. It reports whether the process is to die after that; errDied means that it has.
func (p *process) observe(all ...said) (after bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return false, errDied
	}
	for _, s := range all {
		if p.end != nil && p.end.said(s) {
			after, p.end = p.end.after, nil
			if !after {
				p.die()
				return false, errDied
			}
			return true, nil
		}
	}
	return false, nil
}

// die is called with mu held.
func (p *process) die() {
	if p.dead {
		return
	}
	p.dead = true
	close(p.died)
	for _, c := range p.conns {
		c.Close()
	}
}

// kill ends the process now.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.die()
}

// kafkaTap listens to what is said to a broker. It passes on whole requests and whole answers. One goroutine writes, one reads.
type kafkaTap struct {
	net.Conn
	p   *process
	out []byte // of a request that is not complete
	in  []byte // of an answer that is not read

	mu   sync.Mutex
	last int32 // number of the request whose answer does not arrive any more
	ends bool
}

// Write looks at each request before the broker has it.
func (c *kafkaTap) Write(b []byte) (int, error) {
	c.out = append(c.out, b...)
	for len(c.out) >= 4 {
		size := 4 + int(binary.BigEndian.Uint32(c.out))
		if len(c.out) < size {
			break
		}
		frame := c.out[:size]
		after, err := c.p.observe(c.p.requests(frame)...)
		if err != nil {
			return 0, err
		}
		if after {
			c.mu.Lock()
			c.last, c.ends = int32(binary.BigEndian.Uint32(frame[8:])), true
			c.mu.Unlock()
		}
		if _, err := c.Conn.Write(frame); err != nil {
			return 0, err
		}
		c.out = append([]byte(nil), c.out[size:]...)
	}
	return len(b), nil
}

// Read withholds the answer to the last request, and everything after it.
func (c *kafkaTap) Read(b []byte) (int, error) {
	if len(c.in) == 0 {
		head := make([]byte, 8)
		if _, err := io.ReadFull(c.Conn, head); err != nil {
			return 0, err
		}
		c.mu.Lock()
		ends := c.ends && c.last == int32(binary.BigEndian.Uint32(head[4:]))
		c.mu.Unlock()
		if ends {
			c.p.kill()
			return 0, errDied
		}
		c.in = append(head, make([]byte, binary.BigEndian.Uint32(head)-4)...)
		if _, err := io.ReadFull(c.Conn, c.in[8:]); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.in)
	c.in = c.in[n:]
	return n, nil
}

// requests says what a request says, if that is of interest.
func (p *process) requests(frame []byte) []said {
	req := kmsg.RequestForKey(int16(binary.BigEndian.Uint16(frame[4:])))
	switch req.(type) {
	case *kmsg.ProduceRequest, *kmsg.FetchRequest, *kmsg.OffsetCommitRequest:
	default:
		return nil
	}
	req.SetVersion(int16(binary.BigEndian.Uint16(frame[6:])))
	body := frame[14+binary.BigEndian.Uint16(frame[12:]):] // behind the client's name
	if req.IsFlexible() {
		body = body[1:] // no tags
	}
	if err := req.ReadFrom(body); err != nil {
		panic(err) // the worker's Kafka client is the test's
	}
	name := func(name string, id [16]byte) string {
		if name == "" {
			name = p.topics[id]
		}
		return name
	}
	var all []said
	switch req := req.(type) {
	case *kmsg.ProduceRequest:
		for _, t := range req.Topics {
			for _, part := range t.Partitions {
				all = append(all, records(name(t.Topic, t.TopicID), part)...)
			}
		}
	case *kmsg.FetchRequest:
		for _, t := range req.Topics {
			for _, part := range t.Partitions {
				all = append(all, said{what: "fetch", topic: name(t.Topic, t.TopicID), partition: part.Partition, offset: part.FetchOffset})
			}
		}
	case *kmsg.OffsetCommitRequest:
		for _, t := range req.Topics {
			for _, part := range t.Partitions {
				all = append(all, said{what: "commit", topic: name(t.Topic, t.TopicID), partition: part.Partition, offset: part.Offset})
			}
		}
	}
	return all
}

// records says what the records of a produce say.
func records(topic string, p kmsg.ProduceRequestTopicPartition) []said {
	batch := &kmsg.FetchResponseTopicPartition{Partition: p.Partition, RecordBatches: p.Records}
	read, _ := kgo.ProcessFetchPartition(kgo.ProcessFetchPartitionOpts{Topic: topic, Partition: p.Partition}, batch, kgo.DefaultDecompressor(), nil)
	var all []said
	for _, r := range read.Records {
		s := said{what: "parked", who: string(r.Key), topic: topic, partition: r.Partition}
		s.offset, _ = strconv.ParseInt(wire.Header(r, "origin"), 10, 64)
		switch wire.Type(r) {
		case wire.TypeClaim:
			s.what = "claim"
		case wire.TypeStatus:
			s.what = wire.Header(r, "state")
		case wire.TypeInvoice:
			s.what, s.who = "invoice", wire.Header(r, "order")
		case wire.TypeVoid:
			s.what = "void"
		case wire.TypeDeadLetter:
			if deadLetter, err := dlq.Read(r); err == nil {
				s.what, s.offset = "dead letter", deadLetter.Origin.Offset
			}
		}
		all = append(all, s)
	}
	return all
}

// mailTap listens to what is said to the mail server. One goroutine uses it.
type mailTap struct {
	net.Conn
	p       *process
	line    []byte // that is not complete
	content bool   // of a mail is being sent
	to      string
	ends    bool
	answers []string // to the commands that were sent: of the tap itself, or "": the server's
	server  *bufio.Reader
	ready   []byte // to be read
}

// Write looks at each line before the server has it.
func (c *mailTap) Write(b []byte) (int, error) {
	c.line = append(c.line, b...)
	passed := b
	for {
		at := bytes.Index(c.line, []byte("\r\n"))
		if at < 0 {
			break
		}
		line := string(c.line[:at])
		c.line = c.line[at+2:]
		said, answer := c.command(line)
		after, err := c.p.observe(said...)
		if err != nil {
			return 0, err
		}
		c.ends = c.ends || after
		if answer != "" {
			passed = bytes.Replace(passed, []byte(line+"\r\n"), nil, 1)
		}
	}
	if len(passed) > 0 {
		if _, err := c.Conn.Write(passed); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// command says what a line says, if that is of interest, and the answer of the tap to it, if it has one.
func (c *mailTap) command(line string) (says []said, answer string) {
	to, isRcpt := strings.CutPrefix(line, "RCPT TO:<")
	switch {
	case c.content && line != ".":
		return nil, ""
	case line == "DATA", line == ".":
		c.content = false
		says = []said{{what: line, who: c.to}}
	case isRcpt:
		c.to, _, _ = strings.Cut(to, ">")
		says, answer = []said{{what: "RCPT", who: c.to}}, c.p.answer(c.to)
	}
	c.answers = append(c.answers, answer)
	return says, answer
}

// Read withholds the last answer.
func (c *mailTap) Read(b []byte) (int, error) {
	if len(c.ready) == 0 {
		if err := c.next(); err != nil {
			return 0, err
		}
	}
	n := copy(b, c.ready)
	c.ready = c.ready[n:]
	return n, nil
}

// next makes the next answer ready. The server's greeting answers no command.
func (c *mailTap) next() error {
	if len(c.answers) > 0 {
		own := c.answers[0]
		c.answers = c.answers[1:]
		if own != "" {
			c.ready = []byte(own + "\r\n")
			return nil
		}
	}
	if c.server == nil {
		c.server = bufio.NewReader(c.Conn)
	}
	for line := "-"; strings.HasPrefix(strings.TrimLeft(line, "0123456789"), "-"); { // more lines of the answer follow
		var err error
		if line, err = c.server.ReadString('\n'); err != nil && !c.ends {
			return err
		}
		if c.ends {
			c.p.kill()
			return errDied
		}
		c.ready = append(c.ready, line...)
	}
	c.content = bytes.HasPrefix(c.ready, []byte("354"))
	return nil
}
