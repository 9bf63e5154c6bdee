package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// External is a topic of other programs: its settings are what they are.
type External struct {
	ID         kadm.TopicID
	Partitions int
	Retention  time.Duration // after which Kafka deletes records; negative: never by age
	MaxBytes   int           // of a record batch
}

// ErrNoTopic is returned for a topic that does not exist.
var ErrNoTopic = errors.New("the topic does not exist")

// CheckExternal describes the topic of a grant. It is ErrNoTopic if it does not exist, and a
// DeniedError that names the operations if the grant is not given. It does not wait while Kafka is
// away.
func CheckExternal(ctx context.Context, cl *kgo.Client, g Grant) (External, error) {
	found, err := listTopics(ctx, cl, []string{g.Name})
	if err != nil {
		return External{}, fmt.Errorf("topic %s: %w", g.Name, err)
	}
	if err := denied(ctx, cl, []Grant{g}, found); err != nil {
		return External{}, err
	}
	t := found[g.Name]
	if errors.Is(t.Err, kerr.UnknownTopicOrPartition) || t.Err == nil && len(t.Partitions) == 0 {
		return External{}, fmt.Errorf("topic %s: %w", g.Name, ErrNoTopic)
	}
	configs, err := kadm.NewClient(cl).DescribeTopicConfigs(ctx, g.Name)
	if err == nil {
		var one kadm.ResourceConfig
		if one, err = configs.On(g.Name, nil); err == nil && one.Err == nil {
			return external(t, one), nil
		}
		err = errors.Join(err, one.Err)
	}
	return External{}, fmt.Errorf("topic %s: %w", g.Name, err)
}

func external(t kadm.TopicDetail, configs kadm.ResourceConfig) External {
	e := External{ID: t.ID, Partitions: len(t.Partitions), Retention: retention(configs).For, MaxBytes: 1 << 20}
	for _, c := range configs.Configs {
		if n, err := strconv.Atoi(c.MaybeValue()); c.Key == "max.message.bytes" && err == nil {
			e.MaxBytes = n
		}
	}
	return e
}

func retention(configs kadm.ResourceConfig) Retention {
	r := Retention{For: -1}
	deletes := true
	for _, c := range configs.Configs {
		n, err := strconv.ParseInt(c.MaybeValue(), 10, 64)
		switch {
		case c.Key == "retention.ms" && err == nil && n >= 0:
			r.For = time.Duration(min(n, int64(maxRetention/time.Millisecond))) * time.Millisecond
		case c.Key == "cleanup.policy":
			r.Compacted, deletes = strings.Contains(c.MaybeValue(), "compact"), c.MaybeValue() != "compact"
		}
	}
	if !deletes {
		r.For = -1
	}
	return r
}

// maxRetention is as good as for ever, and leaves room to add it to a time.
const maxRetention = 100 * 365 * 24 * time.Hour
