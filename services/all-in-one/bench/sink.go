package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// sink is a mail server that accepts every mail and keeps none. It answers each mail after a delay.
type sink struct {
	ln    net.Listener
	delay time.Duration

	mu    sync.Mutex
	mails int
	bytes int                        // of all mails
	marks map[int]func(at time.Time) // called when this many mails are accepted
	each  func(order string, at time.Time)
}

// newSink opens a mail server. It is closed by close.
func newSink(ctx context.Context, delay time.Duration) (*sink, error) {
	ln, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &sink{ln: ln, delay: delay, marks: map[int]func(time.Time){}}
	go s.serve() // ends with close
	return s, nil
}

func (s *sink) address() string { return s.ln.Addr().String() }

func (s *sink) close() { s.ln.Close() }

// size is the mean size of a mail in bytes.
func (s *sink) size() float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return float64(s.bytes) / float64(s.mails)
}

// count is the number of mails so far.
func (s *sink) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mails
}

// mark calls do once, in the goroutine of a mail, when n mails are accepted.
func (s *sink) mark(n int, do func(at time.Time)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.marks[n] = do
}

func (s *sink) serve() {
	for {
		conn, err := s.ln.Accept()
		if err != nil {
			return
		}
		go s.session(conn) // ends when the client closes its connection
	}
}

// session answers the commands of a client. It offers no extension.
func (s *sink) session(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReader(conn)
	answer := "220 sink\r\n"
	for {
		if _, err := io.WriteString(conn, answer); err != nil {
			return
		}
		line, err := r.ReadSlice('\n')
		if err != nil {
			return
		}
		answer = "250 OK\r\n"
		switch verb := string(bytes.ToUpper(line[:min(4, len(line))])); verb {
		case "QUIT":
			answer = "221 bye\r\n"
		case "DATA":
			if _, err := io.WriteString(conn, "354 go on\r\n"); err != nil {
				return
			}
			order, size, err := readMail(r)
			if err != nil {
				return
			}
			time.Sleep(s.delay)
			s.accept(order, size, time.Now())
		}
	}
}

// readMail reads a mail to its end, and returns the ID of the order that its Message-ID begins with,
// and its size in bytes.
func readMail(r *bufio.Reader) (order string, size int, err error) {
	field := []byte("message-id: <")
	for {
		line, err := r.ReadSlice('\n')
		if err != nil && err != bufio.ErrBufferFull {
			return "", 0, err
		}
		size += len(line)
		if string(line) == ".\r\n" {
			return order, size, nil
		}
		if order == "" && len(line) > len(field) && bytes.EqualFold(line[:len(field)], field) {
			id, _, _ := bytes.Cut(line[len(field):], []byte("."))
			order = string(id)
		}
	}
}

func (s *sink) accept(order string, size int, at time.Time) {
	s.mu.Lock()
	s.mails++
	s.bytes += size
	do, each := s.marks[s.mails], s.each
	s.mu.Unlock()
	if do != nil {
		do(at)
	}
	if each != nil {
		each(order, at)
	}
}
