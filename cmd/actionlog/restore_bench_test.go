package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/archive"
	"actionlog/internal/storetest"
)

// BenchmarkRestore writes the archive of a year of a hundred institutions (200,000
// actions, or ACTIONLOG_BENCH_ACTIONS), verifies it, and has a running service restore one
// of them whole.
func BenchmarkRestore(b *testing.B) {
	n := storetest.BenchActions(b, 200_000)
	dir := b.TempDir()
	folder, err := archive.NewFolder(filepath.Join(dir, "archive"))
	if err != nil {
		b.Fatal(err)
	}
	w, err := archive.OpenWriter(b.Context(), archive.Options{Storage: folder, Dir: filepath.Join(dir, "archive"), KeyFile: filepath.Join(dir, "archive.key")})
	if err != nil {
		b.Fatal(err)
	}
	at := time.Now()
	archiveYear(b, w, n)
	b.ReportMetric(float64(time.Since(at).Nanoseconds())/float64(n), "ns/archived")
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	at = time.Now()
	report, err := archive.Verify(b.Context(), folder, archive.VerifyOptions{Key: w.PublicKey()})
	if err != nil || len(report.Findings) > 0 || report.Actions != uint64(n) {
		b.Fatal(report, err)
	}
	b.ReportMetric(float64(report.RawBytes)/1e6/time.Since(at).Seconds(), "verified_rawMB/s")
	b.ReportMetric(float64(report.Bytes)/float64(n), "B/action")
	s, stop := startServiceOn(b, dir, nil)
	defer stop()
	at = time.Now()
	r := s.restore(b, "school-7", "2025-01-01")
	took := time.Since(at).Seconds()
	if r.Progress.Restored != int64(n/100) {
		b.Fatal(r.Progress)
	}
	b.ReportMetric(took, "s/restore")
	b.ReportMetric(float64(n/100)/took, "restored/s")
	b.ReportMetric(float64(r.Estimate.Bytes)/float64(report.Bytes), "of_the_archive_read")
	b.ReportMetric(0, "ns/op")
}

// archiveYear archives n actions of 2025, of a hundred institutions in turns.
func archiveYear(b *testing.B, w *archive.Writer, n int) {
	type template struct{ head, tail string }
	var templates []template
	for _, raw := range inventedLines(4000, time.Now()) {
		head, rest, _ := strings.Cut(string(raw), `"id":"inv:`)
		_, rest, _ = strings.Cut(rest, `"occurred_at":"`)
		_, tail, ok := strings.Cut(rest, `"`)
		if !ok {
			b.Fatalf("a line without an end: %s", raw)
		}
		templates = append(templates, template{head, tail})
	}
	begin := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	step := 365 * 24 * time.Hour / time.Duration(n)
	lines := make([]archive.Line, 0, 4000)
	for i := range n {
		at, institution, tpl := begin.Add(time.Duration(i)*step), fmt.Sprint("school-", i%100), templates[i*31%len(templates)]
		doc := fmt.Appendf(nil, `%s"id":"y%d","institution":{"id":%q},"occurred_at":%q%s`, tpl.head, i, institution, at.Format("2006-01-02T15:04:05.000Z"), tpl.tail)
		lines = append(lines, archive.Line{Position: actionlog.Position{Stream: "bench", Sequence: uint64(i + 1)}, ReceivedAt: at, Institution: institution, Day: actionlog.DayOf(at), Document: doc})
		if len(lines) < 4000 && i < n-1 {
			continue
		}
		if err := w.Append(b.Context(), lines); err != nil {
			b.Fatal(err)
		}
		lines = lines[:0]
	}
	if err := w.Seal(b.Context()); err != nil {
		b.Fatal(err)
	}
}
