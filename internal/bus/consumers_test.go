package bus

import (
	"context"
	"testing"
	"time"
)

// TestReadersLeaveNoConsumersBehind: the server keeps a bounded number of them.
func TestReadersLeaveNoConsumersBehind(t *testing.T) {
	l, err := Open(context.Background(), Config{Dir: t.TempDir(), Reserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Append(t.Context(), Alerts, []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		n := 0
		if err := l.Each(t.Context(), Alerts, 0, func(Record) error { n++; return nil }); err != nil || n != 1 {
			t.Fatal(n, err)
		}
	}
	left := -1
	for range 200 {
		st, err := l.js.Stream(t.Context(), Alerts.Name)
		if err != nil {
			t.Fatal(err)
		}
		if left = st.CachedInfo().State.Consumers; left == 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d consumers are left", left)
}
