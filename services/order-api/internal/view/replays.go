package view

import "example.com/orders/shared/order"

// Replays returns the outcomes of all replays that the timeline of an order tells of, oldest first.
func Replays(s order.State) []Answered { return replays(s) }
