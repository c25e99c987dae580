package search

import (
	"io"
	"slices"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/demo"
)

// BenchmarkFormats writes actions of the demo in each format of an export, each with its position sealed.
func BenchmarkFormats(b *testing.B) {
	seal, err := newSealer(make([]byte, 32))
	if err != nil {
		b.Fatal(err)
	}
	s := &server{seal: seal}
	var records []actionlog.Record
	for doc := range demo.New(1, 2000).Actions(time.Now()) {
		record, err := actionlog.ParseRecord(slices.Clone(doc), nil)
		if err != nil {
			b.Fatal(err)
		}
		record.ReceivedAt, record.Position = record.OccurredAt.Add(time.Second), actionlog.Position{Stream: "s1", Sequence: uint64(len(records) + 1)}
		records = append(records, record)
	}
	for _, name := range []string{"ndjson", "json", "csv", formatECS} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			x, err := beginWriting(exportOptions{format: formatOf(name, time.UTC, false)}, io.Discard)
			if err != nil {
				b.Fatal(err)
			}
			for i := 0; b.Loop(); i++ {
				if err := x.write(s.shown(records[i%len(records)])); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
