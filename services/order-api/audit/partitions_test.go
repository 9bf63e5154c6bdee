package audit_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"example.com/orders/shared/kafkatest"
)

// TestIDProcessedInTwoPartitionsIsAFault has an order under another partition number too, and a
// second one of another ID there.
func TestIDProcessedInTwoPartitionsIsAFault(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	b := newBook(t, k, k.Prefix)
	near, far := newClerk(b, 0), newClerk(b, 2)
	p := near.confirm(near.place(nil))
	far.confirm(far.place(p))
	far.confirm(far.place(nil))
	b.play(t, k, len(b.acts))
	want := []string{"two-partitions 0-0 ord_0_1", "two-partitions 2-0 ord_0_1"}
	if diff := cmp.Diff(want, named(run(t, k).Faults)); diff != "" {
		t.Errorf("faults (-want +got):\n%s", diff)
	}
}
