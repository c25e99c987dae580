package main

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/archive"
	"actionlog/internal/storetest"
)

// BenchmarkArchive judges, appends and seals actions (200,000, or ACTIONLOG_BENCH_ACTIONS),
// verifies the archive, and reads one institution's part of it, a hundredth.
func BenchmarkArchive(b *testing.B) {
	n := storetest.BenchActions(b, 200_000)
	dir := b.TempDir()
	folder, err := archive.NewFolder(dir)
	if err != nil {
		b.Fatal(err)
	}
	w, err := archive.OpenWriter(b.Context(), archive.Options{Storage: folder, Dir: dir, KeyFile: filepath.Join(b.TempDir(), "key")})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	judging, appending := fillArchive(b, w, n)
	at := time.Now()
	report, err := archive.Verify(b.Context(), folder, archive.VerifyOptions{Key: w.PublicKey()})
	if err != nil || len(report.Findings) > 0 || report.Actions != uint64(n) {
		b.Fatal(report, err)
	}
	verifying := time.Since(at)
	at = time.Now()
	read := 0
	for _, err := range (&archive.Reader{Storage: folder}).Actions(b.Context(), archive.Selection{Institution: "hundredth"}) {
		if err != nil {
			b.Fatal(err)
		}
		read++
	}
	if read != n/100 {
		b.Fatal(read)
	}
	b.ReportMetric(float64(judging.Nanoseconds())/float64(n), "ns/judged")
	b.ReportMetric(float64(appending.Nanoseconds())/float64(n), "ns/archived")
	b.ReportMetric(float64(report.Bytes)/float64(n), "B/action")
	b.ReportMetric(float64(report.RawBytes)/float64(n), "rawB/action")
	b.ReportMetric(float64(report.RawBytes)/1e6/verifying.Seconds(), "verified_rawMB/s")
	b.ReportMetric(float64(read)/time.Since(at).Seconds(), "read/s")
	b.ReportMetric(0, "ns/op")
}

// fillArchive puts n actions into an archive, one in a hundred of another institution.
func fillArchive(b *testing.B, w *archive.Writer, n int) (judging, appending time.Duration) {
	for start := 0; start < n; start += 4000 {
		all := benchItems(min(4000, n-start), 24*time.Hour)
		var lines []archive.Line
		at := time.Now()
		for i := range all {
			item, _, err := actionlog.Skim("actions.invented."+string(all[i].Category), all[i].Document, nil)
			if err != nil {
				b.Fatal(err)
			}
			institution := item.Institution
			if i%100 == 0 {
				institution = "hundredth"
			}
			lines = append(lines, archive.Line{Position: actionlog.Position{Stream: "bench", Sequence: uint64(start + i + 1)}, ReceivedAt: at, Institution: institution, Day: item.Day(), Document: item.Document})
		}
		judging += time.Since(at)
		at = time.Now()
		if err := w.Append(b.Context(), lines); err != nil {
			b.Fatal(err)
		}
		appending += time.Since(at)
	}
	at := time.Now()
	if err := w.Seal(b.Context()); err != nil {
		b.Fatal(err)
	}
	appending += time.Since(at)
	return judging, appending
}

// BenchmarkArchiveCost is BenchmarkBulk with an archive and without, in turns: the ratio
// of the medians of three runs of each.
func BenchmarkArchiveCost(b *testing.B) {
	n := storetest.BenchActions(b, 100_000)
	rate := func(args ...string) float64 {
		all := benchItems(n, time.Hour)
		s := startService(b, args...)
		start := time.Now()
		publishAll(b, s.publisher, all)
		s.settle(b)
		return float64(n) / time.Since(start).Seconds()
	}
	var with, without []float64
	for range 3 {
		with = append(with, rate())
		without = append(without, rate("--archive", "off"))
	}
	slices.Sort(with)
	slices.Sort(without)
	b.ReportMetric(with[1], "archived/s")
	b.ReportMetric(without[1], "without/s")
	b.ReportMetric(with[1]/without[1], "of_without")
	b.ReportMetric(0, "ns/op")
}
