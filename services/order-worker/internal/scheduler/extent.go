package scheduler

import "maps"

// extent is how far a log is known without a gap. A record that this worker has appended is known by its
// acknowledgement, the others are known when they are read.
type extent struct {
	next  int64              // every record below is known
	ahead map[int64]struct{} // offsets of our records that are known above next
}

// read notes that every record below an offset was read, and reports whether more is known now.
func (e *extent) read(next int64) (more bool) {
	if next <= e.next {
		return false
	}
	e.next = next
	maps.DeleteFunc(e.ahead, func(offset int64, _ struct{}) bool { return offset < next })
	e.join()
	return true
}

// wrote notes a record of ours, and reports whether more is known now.
func (e *extent) wrote(offset int64) (more bool) {
	if offset < e.next {
		return false // it was read before its acknowledgement was
	}
	if e.ahead == nil {
		e.ahead = map[int64]struct{}{}
	}
	e.ahead[offset] = struct{}{}
	return e.join()
}

// join takes over what is ahead without a gap.
func (e *extent) join() (more bool) {
	for {
		if _, ok := e.ahead[e.next]; !ok {
			return more
		}
		delete(e.ahead, e.next)
		e.next, more = e.next+1, true
	}
}
