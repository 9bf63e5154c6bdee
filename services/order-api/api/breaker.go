package api

import "example.com/orders/services/order-api/internal/web"

// Breaker breaks the system on purpose; the page of operations then has a section "Break it".
type Breaker = web.Breaker

// Breaking is what a Breaker can break, and what is broken.
type Breaking = web.Breaking

// ErrNoWorker is the error of a Breaker for a process that is no worker of it, or has ended.
var ErrNoWorker = web.ErrNoWorker

// ErrManyWorkers is the error of a Breaker that has as many workers as it may start.
var ErrManyWorkers = web.ErrManyWorkers

// ErrPlacing is the error of a Breaker that is still placing orders.
var ErrPlacing = web.ErrPlacing

// MailBehaviours are the names of the behaviours that a Breaker is asked for, each with its words.
func MailBehaviours() [][2]string { return web.MailBehaviours() }
