// Package vies asks VIES, the VAT Information Exchange System of the European Commission, whether a VAT
// ID is in use.
//
// VIES passes each question on to the member state of the ID, and states are often away. So no order
// waits longer than Timeout, and each state has a circuit breaker: after three failures in a row its IDs
// are not checked for half a minute; then one question is tried. An answer that is no clear yes or no
// counts as none.
//
// The API of VIES is described at https://ec.europa.eu/taxation_customs/vies/#/technical-information.
package vies

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"

	"example.com/orders/shared/order"
	"example.com/orders/shared/telemetry"
)

// Timeout is how long a question may take.
const Timeout = 2 * time.Second

const (
	failuresToOpen = 3
	openFor        = 30 * time.Second
	maxAnswer      = 64 << 10 // bytes
)

// Client asks VIES. It is safe for concurrent use.
type Client struct {
	url       string
	requester string // VAT ID, or empty
	http      *http.Client
	log       *slog.Logger

	mu     sync.Mutex
	states map[string]*state // by the prefix of VAT IDs
}

// state is a member state, or XI.
type state struct {
	circuit *gobreaker.CircuitBreaker[answer]
	last    atomic.Pointer[string] // the last failure, for the log
}

// New returns a client for the address of the operation check-vat-number. Requester is the VAT ID of the
// seller: VIES then proves each check with a number. It may be empty.
func New(address, requester string, log *slog.Logger) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("%q must be a URL such as https://ec.europa.eu/taxation_customs/vies/rest-api/check-vat-number", address)
	}
	seller := order.Customer{VATID: requester}
	if requester != "" && seller.VATState() == "" {
		return nil, fmt.Errorf("the requester %q must be a VAT ID of a member state", requester)
	}
	return &Client{
		url: address, requester: seller.VATNumber(), log: log, states: map[string]*state{},
		// VIES does not redirect: a redirect is an answer of something in between.
		http: &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}, nil
}

// Check asks whether a buyer's VAT ID is in use, and blocks for Timeout at most. It is nil if there is
// nothing to ask: without an ID of a member state or Northern Ireland; or with one of the requester's own
// state, which changes no VAT (Article 138(1)(b) of Directive 2006/112/EC).
func (c *Client) Check(ctx context.Context, buyer order.Customer) *order.VATCheck {
	id := buyer.VATNumber()
	if buyer.VATState() == "" || c.requester != "" && id[:2] == c.requester[:2] {
		return nil
	}
	at := c.state(id[:2])
	a, err := at.circuit.Execute(func() (answer, error) {
		a, err := c.ask(ctx, id)
		if err != nil {
			at.last.Store(new(err.Error()))
		}
		return a, err
	})
	check := &order.VATCheck{ID: id, Result: order.VATNotChecked, At: time.Now().UTC().Truncate(time.Second), RequestID: a.RequestID}
	switch {
	case err == nil && *a.Valid:
		check.Result = order.VATValid
	case err == nil:
		check.Result = order.VATInvalid
	}
	return check
}

// state is the state of a prefix.
func (c *Client) state(prefix string) *state {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.states[prefix]
	if s == nil {
		s = &state{}
		s.circuit = gobreaker.NewCircuitBreaker[answer](gobreaker.Settings{
			Name: prefix, Timeout: openFor,
			ReadyToTrip:   func(n gobreaker.Counts) bool { return n.ConsecutiveFailures >= failuresToOpen },
			IsSuccessful:  func(err error) bool { return err == nil || errors.Is(err, errNumber) },
			OnStateChange: func(_ string, from, to gobreaker.State) { c.changed(prefix, s.last.Load(), from, to) },
		})
		c.states[prefix] = s
	}
	return s
}

// changed logs when VIES begins and ends to be away for a state: not each question.
func (c *Client) changed(prefix string, last *string, from, to gobreaker.State) {
	at := slog.String(telemetry.Breaker, "VIES "+prefix)
	switch {
	case from == gobreaker.StateClosed:
		c.log.LogAttrs(context.Background(), slog.LevelWarn, "VIES gives no answers: orders are accepted, and their VAT IDs are not checked", at,
			slog.String(telemetry.Error, *last))
	case to == gobreaker.StateClosed:
		c.log.LogAttrs(context.Background(), slog.LevelInfo, "VIES answers again: VAT IDs are checked", at)
	}
}

type question struct {
	State          string `json:"countryCode"` // EL for Greece, XI for Northern Ireland
	Number         string `json:"vatNumber"`   // without the prefix
	RequesterState string `json:"requesterMemberStateCode,omitempty"`
	Requester      string `json:"requesterNumber,omitempty"`
}

type answer struct {
	Valid     *bool  `json:"valid"`
	RequestID string `json:"requestIdentifier"` // only with a requester
	UserError string `json:"userError"`         // VALID, INVALID, or why there is no answer
	Errors    []struct {
		Error string `json:"error"`
	} `json:"errorWrappers"`
}

// errNumber is the answer that a number cannot be asked for. It does not mean that VIES is away.
var errNumber = errors.New("VIES answered INVALID_INPUT")

// ask sends one question. The error is nil if the answer is a clear yes or no.
func (c *Client) ask(ctx context.Context, id string) (answer, error) {
	q := question{State: id[:2], Number: id[2:]}
	if c.requester != "" {
		q.RequesterState, q.Requester = c.requester[:2], c.requester[2:]
	}
	body, err := json.Marshal(q)
	if err != nil {
		return answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	resp, err := c.http.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, err
	}
	return read(resp, text)
}

// read reads an answer.
func read(resp *http.Response, text []byte) (answer, error) {
	var a answer
	err := json.Unmarshal(text, &a)
	answered := a.UserError == "" || a.UserError == "VALID" || a.UserError == "INVALID"
	switch {
	case len(text) > maxAnswer:
		return answer{}, fmt.Errorf("the answer has more than %d bytes", maxAnswer)
	case len(a.Errors) > 0 && a.Errors[0].Error == "INVALID_INPUT":
		return answer{}, errNumber
	case len(a.Errors) > 0:
		return answer{}, fmt.Errorf("VIES answered %.60q", a.Errors[0].Error)
	case resp.StatusCode != http.StatusOK:
		return answer{}, fmt.Errorf("VIES answered %d", resp.StatusCode)
	case err != nil:
		return answer{}, fmt.Errorf("reading the answer: %w", err)
	case a.Valid == nil || !answered:
		return answer{}, fmt.Errorf("VIES did not check the number: %.60q", a.UserError)
	}
	a.RequestID = strings.TrimSpace(a.RequestID)
	if order.TextFault(a.RequestID, 0, order.MaxVATCheckID) != "" {
		a.RequestID = ""
	}
	return a, nil
}
