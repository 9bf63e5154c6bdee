package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"example.com/orders/services/order-api/internal/httpapi"
	"example.com/orders/shared/cputime"
)

// The load, and the bounds that deploy/README.md states. The process has the clients' ends of the
// connections and the broker too.
const (
	idleStreams, openWaits = 2000, 500
	gets                   = 1000
	slower                 = 3 // most, compared with reads while no client waits
	maxRSS                 = 400 << 20
)

// opened is a request that is sent, and whose answer is not read yet.
type opened struct {
	net.Conn
	answer *bufio.Reader
}

// open sends a request on a connection of its own.
func (s *shop) open(ctx context.Context, request string) (opened, error) {
	c, err := s.dial(ctx, "tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		return opened{}, err
	}
	_, err = io.WriteString(c, request)
	return opened{c, bufio.NewReaderSize(c, 16)}, err
}

// openAll sends many requests, and reads the first line of each answer unless no status is
// expected yet.
func (s *shop) openAll(t *testing.T, n int, request, status string) []opened {
	t.Helper()
	all := make([]opened, n)
	g, ctx := errgroup.WithContext(t.Context())
	g.SetLimit(50)
	for i := range all {
		g.Go(func() (err error) {
			if all[i], err = s.open(ctx, request); err != nil || status == "" {
				return err
			}
			line, err := all[i].answer.ReadString('\n')
			if err == nil && !strings.Contains(line, status) {
				err = fmt.Errorf("request %d: got %q, want %s", i, line, status)
			}
			return err
		})
	}
	must(t, g.Wait())
	t.Cleanup(func() {
		for _, c := range all {
			c.Close()
		}
	})
	return all
}

// TestThousandsOfIdleStreamsAndWaits measures reads while many clients wait, then stops the API.
func TestThousandsOfIdleStreamsAndWaits(t *testing.T) {
	debug.FreeOSMemory() // of the tests before
	s := setup(t, func(c *httpapi.Config) { c.Limits = httpapi.Limits{Streams: 2 * idleStreams, Waits: 2 * openWaits} })
	watched := s.place(t, wanted())
	path := "/v1/orders/" + string(watched.Order.ID)
	get := func(path string) string { return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n\r\n" }
	post := fmt.Sprintf("POST /v1/orders HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\nContent-Length: %d\r\n\r\n%s", len(good), good)

	alone := s.readCost(t, path)
	streams := s.openAll(t, idleStreams, get(path+"/events"), "200 OK")
	waits := s.openAll(t, openWaits, post, "")
	s.awaitOrders(t, 1+openWaits) // each of them has its slot
	s.refusesOneMore(t, get(path+"/events"), post)
	cost := s.readCost(t, path)
	for round := 0; cost > slower*alone && round < 20; round++ { // what was begun before may still use the processor
		cost = s.readCost(t, path)
	}
	rss := residentSet(t)
	t.Logf("CPU time of a GET %s, alone %s; resident set %d MiB", cost, alone, rss>>20)
	if cost > slower*alone || rss > maxRSS && !raced {
		t.Errorf("got %s and %d MiB, want at most %d × %s and %d MiB", cost, rss>>20, slower, alone, maxRSS>>20)
	}

	s.stop()
	for _, c := range streams {
		if err := readStream(c.answer); err != nil {
			t.Fatalf("stream: got %v, want its end", err)
		}
	}
	for _, c := range waits {
		if line, err := c.answer.ReadString('\n'); err != nil || !strings.Contains(line, "202 Accepted") {
			t.Fatalf("wait: got %q, %v; want 202", line, err)
		}
	}
}

// readCost is the CPU time of a GET, with that of its client and of all else that the process does meanwhile.
func (s *shop) readCost(t *testing.T, path string) time.Duration {
	t.Helper()
	return cputime.OfProcess(func() {
		for range gets {
			resp := s.send(t, s.raw, "GET", path, "")
			if text(t, resp); resp.StatusCode != http.StatusOK {
				t.Fatalf("GET: got %s, want 200", resp.Status)
			}
		}
	}) / gets
}

// readStream reads a stream to its regular end, which is an empty chunk.
func readStream(from *bufio.Reader) error {
	for {
		line, err := from.ReadString('\n')
		if err != nil || line == "0\r\n" {
			return err
		}
	}
}

// awaitOrders returns when the topic has n orders.
func (s *shop) awaitOrders(t *testing.T, n int) {
	t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.Config().Brokers...), kgo.ConsumeTopics(s.Topics.Orders))
	must(t, err)
	defer cl.Close()
	for n > 0 {
		fetched := cl.PollFetches(t.Context())
		must(t, fetched.Err())
		n -= fetched.NumRecords()
	}
}

// refusesOneMore checks that one more stream, and one more wait, are answered 429.
func (s *shop) refusesOneMore(t *testing.T, requests ...string) {
	t.Helper()
	for _, request := range requests {
		c, err := s.open(t.Context(), request)
		must(t, err)
		resp, err := http.ReadResponse(bufio.NewReader(c), nil)
		must(t, err)
		body, err := io.ReadAll(resp.Body)
		must(t, err)
		if resp.StatusCode != http.StatusTooManyRequests || resp.Header.Get("Retry-After") != "5" || !strings.Contains(string(body), "/problems/rate-limit") {
			t.Errorf("%.40q: got %s with %v: %s; want 429", request, resp.Status, resp.Header, body)
		}
		c.Close()
	}
}

// residentSet is the memory of this process in bytes.
func residentSet(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	must(t, err)
	found := regexp.MustCompile(`VmRSS:\s+(\d+) kB`).FindSubmatch(status)
	if found == nil {
		t.Fatal("no VmRSS in /proc/self/status")
	}
	kilobytes, err := strconv.Atoi(string(found[1]))
	must(t, err)
	return kilobytes << 10
}
