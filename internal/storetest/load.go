package storetest

import (
	"iter"
	"os"
	"strconv"
	"testing"
	"time"

	"actionlog"
)

// BenchActions is how many actions a benchmark uses: ACTIONLOG_BENCH_ACTIONS, or what is usual there.
func BenchActions(b *testing.B, usual int) int {
	b.Helper()
	text := os.Getenv("ACTIONLOG_BENCH_ACTIONS")
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		b.Fatalf("ACTIONLOG_BENCH_ACTIONS: %v", err)
	}
	return n
}

// loadBatch is how many actions Load writes at once.
const loadBatch = 4000

// Load writes documents, each of which must be new, in batches of 4,000: received a second after they occurred, and at the
// positions from 1 on of a stream. It returns how many there were.
func Load(b *testing.B, w actionlog.Writer, documents iter.Seq[[]byte]) (count int) {
	b.Helper()
	items := make([]actionlog.Item, 0, loadBatch)
	flush := func() {
		b.Helper()
		outcomes, err := w.Write(b.Context(), items)
		if err != nil {
			b.Fatal(err)
		}
		for _, o := range outcomes {
			if o.Kind != actionlog.OutcomeNew {
				b.Fatal(o)
			}
		}
		items = items[:0]
	}
	for doc := range documents {
		item, err := actionlog.Parse(doc, nil)
		if err != nil {
			b.Fatal(err)
		}
		count++
		item.ReceivedAt, item.Position = item.OccurredAt.Add(time.Second), actionlog.Position{Stream: "ACTIONS", Sequence: uint64(count)}
		if items = append(items, item); len(items) == loadBatch {
			flush()
		}
	}
	flush()
	return count
}
