package session

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

func TestStoreIsLimited(t *testing.T) {
	t.Parallel()
	now := time.Unix(0, 0)
	s := Store[int]{Most: 5, Each: 3, Idle: time.Minute, Absolute: time.Hour, Now: func() time.Time { return now }}
	var ids []string
	add := func(value int, owner string) {
		now = now.Add(time.Second)
		ids = append(ids, s.Add(value, owner))
	}
	known := func(want ...int) {
		t.Helper()
		var got []int
		for _, r := range s.rows {
			got = append(got, r.value)
		}
		if slices.Sort(got); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("got values %v, want %v", got, want)
		}
	}
	for n := range 3 {
		add(n, "ada")
	}
	now = now.Add(time.Second)
	s.Find(ids[0]) // value 1 is unused for longest now
	add(3, "ada")
	known(0, 2, 3)
	add(4, "bob")
	add(5, "eve")
	add(6, "eve")
	known(0, 3, 4, 5, 6)
	if _, ok := s.Find(ids[2]); ok {
		t.Error("a value that was forgotten is found")
	}
	if _, ok := s.Take(ids[3], func(int) bool { return false }); ok {
		t.Error("a value was taken that accept refuses")
	}
	known(0, 3, 4, 5, 6)
	now = now.Add(time.Minute)
	add(7, "eve")
	known(7)
}
