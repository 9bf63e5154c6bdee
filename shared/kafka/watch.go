package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// watchEvery is how often Watch looks. A topic that is missing twice is gone: brokers learn of changes one after the other.
const watchEvery = 5 * time.Second

// errTopic is what Watch returns for a topic that is not the one it was.
var errTopic = errors.New("while this ran")

// Watch blocks until ctx ends, and returns nil then, or until one of the topics that Check found was deleted, was created again, or must not be looked at any
// more: producers and consumers of this process hold on to the topic that was, so it has to start again. Kafka being away changes nothing.
func Watch(ctx context.Context, cl *kgo.Client, found Layout) error {
	names := slices.Sorted(maps.Keys(found.ids))
	missing := map[string]int{}
	for pause(ctx, watchEvery) {
		// Asked for what the client is allowed to do, kadm asks the broker, and no cache.
		now, err := kadm.NewClient(cl).ListTopics(kadm.WithAuthorizedOps(ctx), names...)
		if err == nil {
			err = changed(now, found.ids, missing)
		}
		if v := Classify(err); err != nil && v.Stops() && ctx.Err() == nil {
			return Explain(err)
		}
	}
	return nil
}

// changed compares the topics with what they were. Missing counts for how many looks each has been missing.
func changed(now kadm.TopicDetails, were map[string]kadm.TopicID, missing map[string]int) error {
	var gone, again []string
	for _, name := range slices.Sorted(maps.Keys(were)) {
		t := now[name]
		v := Classify(t.Err)
		switch {
		case t.Err != nil && v == Denied:
			return fmt.Errorf("looking at topic %s: %w", name, t.Err)
		case t.Err != nil && v == TopicGone:
			if missing[name]++; missing[name] > 1 {
				gone = append(gone, name)
			}
		case t.Err == nil && len(t.Partitions) > 0:
			if missing[name] = 0; were[name] != t.ID {
				again = append(again, name)
			}
		}
	}
	switch {
	case len(again) > 0:
		return fmt.Errorf("topics %v were deleted and created again %w", again, errTopic)
	case len(gone) > 0:
		return fmt.Errorf("topics %v were deleted %w", gone, errTopic)
	}
	return nil
}
