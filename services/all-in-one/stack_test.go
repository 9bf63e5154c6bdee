package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPartsEndInReverseOrder(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		breaks string // the part that returns by itself; or empty: all are cancelled
		err    string
		want   []string
	}{
		{"told to end", "", "<nil>", []string{"api", "workers", "broker"}},
		{"the top breaks", "api", "broken", []string{"api", "workers", "broker"}},
		{"the middle breaks", "workers", "broken", []string{"workers", "api", "broker"}},
		{"the bottom breaks", "broker", "broken", []string{"broker", "api", "workers"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ends := make(chan string, 3)
			part := func(name string) func(context.Context) error {
				return func(ctx context.Context) error {
					defer func() { ends <- name }()
					if name == row.breaks {
						return errors.New("broken")
					}
					<-ctx.Done()
					return fmt.Errorf("cut short: %w", ctx.Err())
				}
			}
			ctx, end := context.WithCancel(t.Context())
			defer end()
			if row.breaks == "" {
				end()
			}
			if err := stack(ctx, part("broker"), part("workers"), part("api")); fmt.Sprint(err) != row.err {
				t.Errorf("got error %v, want %s", err, row.err)
			}
			close(ends)
			var got []string
			for name := range ends {
				got = append(got, name)
			}
			if diff := cmp.Diff(row.want, got); diff != "" {
				t.Errorf("order of ending (-want +got):\n%s", diff)
			}
		})
	}
}
