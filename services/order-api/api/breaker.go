package api

import "example.com/orders/services/order-api/internal/web"

// Breaker breaks the system on purpose; the page of operations then has a section "Break it".
type Breaker = web.Breaker

// Breaking is what a Breaker can break, and what is broken.
type Breaking = web.Breaking

// The errors of a Breaker.
var ErrNoWorker, ErrManyWorkers, ErrPlacing = web.ErrNoWorker, web.ErrManyWorkers, web.ErrPlacing

// MailBehaviours are the names of the behaviours that a Breaker is asked for, each with its words.
func MailBehaviours() [][2]string { return web.MailBehaviours() }
