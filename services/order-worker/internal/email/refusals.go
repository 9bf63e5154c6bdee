package email

import (
	"errors"
	"sync"

	"example.com/orders/shared/failure"
)

// This many refusals in a row, to recipients in this many domains, mean that the server refuses all
// mail.
const (
	manyRefusals = 20
	manyDomains  = 3
)

// refusals distinguishes a server that refuses the mail of one recipient for now (greylisting, a
// full mailbox) from one that refuses all mail. It counts attempts, not orders.
type refusals struct {
	mu      sync.Mutex
	row     int                 // refusals since the server last accepted a mail
	domains map[string]struct{} // of their recipients, manyDomains at most
}

// observe counts the result of an attempt and returns it, as Down after too many refusals. Only an
// accepted mail resets the count. An answer 5xx does not: a server with a full disk still rejects
// unknown recipients.
func (r *refusals) observe(domain string, result error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if result == nil {
		r.row, r.domains = 0, nil
		return nil
	}
	failed, ok := errors.AsType[*failure.Error](result)
	if !ok || failed.Class != failure.Transient || failed.Reason == failure.Uncertain {
		return result
	}
	everyone := r.row >= manyRefusals && len(r.domains) >= manyDomains
	r.row++
	if len(r.domains) < manyDomains {
		if r.domains == nil {
			r.domains = map[string]struct{}{}
		}
		r.domains[domain] = struct{}{}
	}
	if everyone {
		return failure.New(failure.Down, failed.Reason, failed.Err)
	}
	return result
}
