package actionlog

import (
	"bufio"
	"compress/gzip"
	"os"
	"testing"
)

// BenchmarkParse judges documents of ../shared/data/actions-moodle-course, as the indexer
// does and as the archiver does.
func BenchmarkParse(b *testing.B) {
	f, err := os.Open("../shared/data/actions-moodle-course.ndjson.gz")
	if err != nil {
		b.Skip(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	var docs [][]byte
	for lines := bufio.NewScanner(z); lines.Scan() && len(docs) < 1000; {
		docs = append(docs, []byte(lines.Text()))
	}
	b.Run("parse", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, err := Parse(docs[i%len(docs)], nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("skim", func(b *testing.B) {
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			if _, reason, err := Skim("", docs[i%len(docs)], nil); reason != DeadSubject {
				b.Fatal(err)
			}
		}
	})
}
