package main

import (
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"actionlog/internal/enginetest"
	"actionlog/internal/storetest"
)

// BenchmarkExportMemory reports how much memory (resident, MiB) a service that runs as a
// process of its own has at most during an export of 300,000 actions, over what it has at
// rest before: on the folder, and on OpenSearch.
func BenchmarkExportMemory(b *testing.B) {
	n := storetest.BenchActions(b, 300_000)
	b.Run("folder", func(b *testing.B) { exportMemory(b, n) })
	b.Run("opensearch", func(b *testing.B) {
		exportMemory(b, n, "--engine", enginetest.URL(b, enginetest.OpenSearch3), "--engine-prefix", "memory"+strconv.Itoa(os.Getpid())+"-")
	})
}

func exportMemory(b *testing.B, n int, args ...string) {
	dir := b.TempDir()
	p := &process{dir: dir, env: []string{"ACTIONLOG_TEST_MAIN=1"}, args: append([]string{os.Args[0], "serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0"}, args...)}
	p.start(b)
	s := connect(b, dir)
	publishAll(b, s.publisher, benchItems(n, 85*24*time.Hour))
	s.settle(b)
	// Begun anew: a process that has just indexed has more than it needs.
	p.kill(b)
	p.start(b)
	s = connect(b, dir)
	s.settle(b)
	idle := resident(b, p.cmd.Process.Pid)
	path := "/v1/institutions/invented/export?from=now-92d&to=" + time.Now().UTC().Format("2006-01-02T15:04:05.000Z") // without what exports record of themselves
	for b.Loop() {
		most, done := idle, make(chan int)
		go func() { done <- s.lines(b, http.DefaultClient, path) }()
		for count := -1; count < 0; {
			select {
			case count = <-done:
				if count != n {
					b.Fatalf("%d of %d actions were exported", count, n)
				}
			case <-time.After(10 * time.Millisecond):
				most = max(most, resident(b, p.cmd.Process.Pid))
			}
		}
		b.ReportMetric(float64(idle)/1024, "MiB-idle")
		b.ReportMetric(float64(most-idle)/1024, "MiB-over-idle")
	}
}

// resident is how much memory a process has that is no file's, in KiB.
func resident(b *testing.B, pid int) int {
	b.Helper()
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/status")
	if err != nil {
		b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	kib, err := strconv.Atoi(strings.Fields(rest)[0])
	if err != nil {
		b.Fatal(err)
	}
	return kib
}
