package view

import (
	"sync"

	"example.com/orders/shared/order"
)

// watchers are the channels of those that wait for changes of orders. The zero value has none.
type watchers struct {
	mu   sync.Mutex
	byID map[order.ID]map[chan struct{}]bool
}

func (w *watchers) add(id order.ID) (changes <-chan struct{}, stop func()) {
	c := make(chan struct{}, 1)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byID == nil {
		w.byID = map[order.ID]map[chan struct{}]bool{}
	}
	if w.byID[id] == nil {
		w.byID[id] = map[chan struct{}]bool{}
	}
	w.byID[id][c] = true
	return c, func() { w.remove(id, c) }
}

func (w *watchers) remove(id order.ID, c chan struct{}) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byID[id], c)
	if len(w.byID[id]) == 0 {
		delete(w.byID, id)
	}
}

// notify wakes the watchers of changed orders.
func (w *watchers) notify(changed map[order.ID]bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range changed {
		w.wake(id)
	}
}

// notifyAll wakes all watchers.
func (w *watchers) notifyAll() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for id := range w.byID {
		w.wake(id)
	}
}

// wake wakes the watchers of an order. The caller holds mu.
func (w *watchers) wake(id order.ID) {
	for c := range w.byID[id] {
		select {
		case c <- struct{}{}:
		default: // a value waits there already
		}
	}
}
