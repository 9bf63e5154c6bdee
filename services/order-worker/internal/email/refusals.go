package email

import (
	"errors"
	"sync"

	"example.com/orders/shared/failure"
)

// So many refusals in a row, to recipients in so many domains, are no longer about any one of them.
const (
	manyRefusals = 20
	manyDomains  = 3
)

// refusals tells a server that asks one customer's mail to come again (greylisting, a full mailbox) from one that asks
// everyone's. It counts attempts, not orders, because either way the server was asked and took nothing.
type refusals struct {
	mu      sync.Mutex
	row     int                 // since a mail was taken over last
	domains map[string]struct{} // of their recipients, manyDomains at most
}

// judge returns what an attempt's verdict means in the light of those before it. Only a mail that is taken over shows that the
// server works: a server whose disk is full still knows which recipients do not exist, so an answer 5xx changes nothing.
func (r *refusals) judge(domain string, verdict error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if verdict == nil {
		r.row, r.domains = 0, nil
		return nil
	}
	failed, ok := errors.AsType[*failure.Error](verdict)
	if !ok || failed.Class != failure.Transient || failed.Reason == failure.Uncertain {
		return verdict
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
	return verdict
}
