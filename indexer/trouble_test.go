package indexer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"actionlog"
)

// troubled is a store that takes its time for each item and fails every few seconds, with
// all that it has in hand.
type troubled struct {
	actionlog.Writer
	began time.Time
}

const (
	perItem = 5 * time.Millisecond
	calm    = 7 * time.Second // between two failures
)

func (w *troubled) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	since := time.Since(w.began)
	time.Sleep(time.Duration(len(items)) * perItem)
	if since/calm != time.Since(w.began)/calm {
		return nil, errors.New("the store failed meanwhile")
	}
	return w.Writer.Write(ctx, items)
}

// backlog publishes n actions of many days, some of them too old. A batch of 4,096 takes 20 s.
func (m *machine) backlog(n int) {
	for i := range n {
		at := time.Now().Add(-time.Duration(i%100) * 24 * time.Hour)
		m.stream.publish(&published{subject: "actions.uni.course", document: fmt.Sprintf(`{"id":"%d","occurred_at":%q,"institution":{"id":"uni"},"category":"course","action":{"code":"x"},"actor":{"kind":"user"}}`,
			i, at.UTC().Format(time.RFC3339))})
	}
}

// An indexer that lives for a few seconds only has written some by then, and the next one
// goes on.
func TestIndexerIsRestartedAgainAndAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		m.backlog(6000)
		lives := 0
		for ; m.stream.open() > 0 && lives < 100; lives++ {
			m.startOn(&troubled{m.store, time.Now()})
			time.Sleep(calm - time.Second)
			m.end()
		}
		if n := m.stream.open(); n > 0 {
			t.Errorf("after %d lives %d of 6,000 wait still", lives, n)
		}
	})
}

// A store that fails more often than it is done with a large batch is written to in smaller
// ones, and catches up.
func TestStoreFailsNowAndThen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		m.backlog(8000)
		m.startOn(&troubled{m.store, time.Now()})
		for began := time.Now(); m.stream.open() > 0; time.Sleep(time.Second) {
			if time.Since(began) > 20*time.Minute {
				t.Errorf("after twenty minutes %d of 8,000 wait still", m.stream.open())
				break
			}
		}
		m.end()
	})
}
