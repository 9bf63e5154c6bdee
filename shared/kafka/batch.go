package kafka

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// head is what the header of a batch tells about it.
type head struct {
	from, to int64  // its first offset, and the one after its last
	bytes    []byte // the whole batch, as far as it was received
}

// Positions of the fields in a batch, and the newest format.
const (
	lengthAt    = 8
	magicAt     = 16
	lastDeltaAt = 23
	headBytes   = 61
	magic       = 2
)

// errCut is returned for an answer that ends within a batch because it is full.
var errCut = errors.New("the batch is cut off")

// heads splits an answer into batches. With an error, the last one is the first whose header makes
// no sense.
func heads(answer []byte) (all []head, err error) {
	for len(answer) > 0 {
		h := head{from: -1, bytes: answer}
		if len(answer) < headBytes {
			return append(all, h), errCut
		}
		h.from = int64(binary.BigEndian.Uint64(answer))
		h.to = h.from + 1
		if answer[magicAt] == magic {
			h.to += int64(int32(binary.BigEndian.Uint32(answer[lastDeltaAt:])))
		}
		size := lengthAt + 4 + int64(int32(binary.BigEndian.Uint32(answer[lengthAt:])))
		switch {
		case size < headBytes && answer[magicAt] == magic || size <= lastDeltaAt:
			return append(all, h), fmt.Errorf("its length is %d bytes", size)
		case size > int64(len(answer)):
			return append(all, h), errCut
		}
		h.bytes, answer = answer[:size], answer[size:]
		if all = append(all, h); h.bytes[magicAt] > magic {
			return all, fmt.Errorf("its format %d is unknown", h.bytes[magicAt])
		}
	}
	return all, nil
}

// believed replaces offsets that cannot be right by the one that was asked for. End is the end of
// the log.
func (h head) believed(at, end int64) head {
	if h.from < 0 || h.from >= end || h.to <= at || h.to > end {
		h.from, h.to = at, at+1
	}
	return h
}
