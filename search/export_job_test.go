package search

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"actionlog"
)

// slowly has a scan take its time, so that a test can come between; it says when a record
// was reached.
func (w *exportWorld) slowly(at int) (reached chan struct{}, goOn func()) {
	reached, on := make(chan struct{}, 1000), make(chan struct{})
	n := 0
	w.store.Fault = func(call string) error {
		if call == "record" {
			if n++; n == at {
				reached <- struct{}{}
				<-on
			}
		}
		return nil
	}
	return reached, func() { close(on) }
}

// A service that stops, or is killed, in the middle begins the job anew when it is back,
// for the same time; its end is recorded once.
func TestExportJobAfterARestart(t *testing.T) {
	for _, killed := range []bool{false, true} {
		w := newExportWorld(t, 500)
		reached, goOn := w.slowly(300)
		w.run()
		made := w.make(`{"filter":{"range":"30d"}}`)
		<-reached
		w.until(made.ID, "on its way", func(x actionlog.Export) bool { return x.Total != nil && x.Total.Value == 500 && x.Written > 200 })
		if killed { // nothing of it is said any more
			w.state.failPuts(true)
		}
		goOn()
		w.stop()
		w.state.failPuts(false)
		if want := map[bool]actionlog.ExportStatus{false: actionlog.ExportWaiting, true: actionlog.ExportRunning}[killed]; w.show(made.ID).Status != want {
			t.Errorf("killed %v: %+v", killed, w.show(made.ID))
		}
		if err := os.WriteFile(filepath.Join(w.dir, "one", "left"), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		w.files.files[w.exports.service+"uni."+made.ID+".oldattempt"] = []byte("a file that no job has")
		w.files.files["elses.uni."+made.ID+".oldattempt"] = []byte("another service's")
		w.now.add(time.Hour)
		w.process("one", nil)
		w.exports.lease = time.Hour // its own it takes up at once
		w.run()
		x := w.untilStatus(made.ID, actionlog.ExportReady)
		if *x.Count != 500 || !x.From.Equal(made.From) || !x.To.Equal(made.To) || x.StartedAt.Sub(made.CreatedAt) < time.Hour {
			t.Errorf("killed %v: %+v", killed, x)
		}
		w.eventually("recorded", func() bool { return w.stream.codes("uni")["exported success"] == 1 })
		if codes := w.stream.codes("uni"); codes["export_started success"] != 1 || len(codes) != 2 {
			t.Errorf("%v", codes)
		}
		if left := w.scratch(); len(left) > 0 || len(w.files.names()) != 2 {
			t.Errorf("left: %v %v", left, w.files.names())
		}
		w.stop()
	}
}

// What another process left unfinished is taken over once it shows no sign of life, and not
// while it does; who comes back to a job that is another's by now leaves it alone.
func TestExportJobIsTakenOver(t *testing.T) {
	w := newExportWorld(t, 500)
	reached, goOn := w.slowly(300)
	w.run()
	stopOne := w.stopped
	made := w.make(`{"filter":{"range":"30d"}}`)
	<-reached
	w.process("two", nil)
	w.run()
	time.Sleep(3 * w.exports.lease)
	if n := len(w.scratch()); n != 1 || w.show(made.ID).Status != actionlog.ExportRunning {
		t.Errorf("%d files are written while its process lives: %+v", n, w.show(made.ID))
	}
	w.state.failPuts(true) // the first process is cut off, and dies
	goOn()
	stopOne()
	w.state.failPuts(false)
	x := w.untilStatus(made.ID, actionlog.ExportReady)
	w.eventually("recorded", func() bool { return w.stream.codes("uni")["exported success"] == 1 })
	if *x.Count != 500 || len(w.files.names()) != 1 {
		t.Errorf("%+v %v", x, w.files.names())
	}
}

// holds tells whether a job runs in this process.
func (e *Exports) holds(id string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.running[exportKey("uni", id)] != nil
}

// Two processes, many institutions' jobs: each runs once, one at a time of an institution,
// in their order.
func TestExportJobsInOrder(t *testing.T) {
	w := newExportWorld(t, 100)
	var ids []string
	for range 4 {
		ids = append(ids, w.make(`{"filter":{"range":"30d"}}`).ID)
		w.now.add(time.Millisecond)
	}
	w.run()
	stopOne := w.stopped
	w.process("two", nil)
	w.run()
	stopTwo := w.stopped
	w.stopped = func() { stopOne(); stopTwo() }
	var last time.Time
	for _, id := range ids {
		x := w.untilStatus(id, actionlog.ExportReady)
		if x.StartedAt.Before(last) || *x.Count != 100 {
			t.Errorf("%+v began before %s", x, last)
		}
		last = x.EndedAt
	}
	w.eventually("recorded", func() bool { return w.stream.codes("uni")["exported success"] == 4 })
	if n := len(w.files.names()); n != 4 {
		t.Errorf("%d files", n)
	}
}

// Cancelled while it waits, while it runs, and when it is ready; and no more than once.
func TestExportJobIsCancelled(t *testing.T) {
	w := newExportWorld(t, 500)
	waiting := w.make(`{"filter":{"range":"30d"}}`)
	if x := w.decode(w.ask("DELETE", "uni/exports/"+waiting.ID, "support", ""), 200); x.Status != actionlog.ExportCancelled {
		t.Errorf("%+v", x)
	}
	reached, goOn := w.slowly(300)
	w.run()
	running := w.make(`{"filter":{"range":"30d"}}`)
	<-reached
	content := func(id string) int { return w.ask("GET", "uni/exports/"+id+"/content", "admin", "").Code }
	if got := content(running.ID); got != http.StatusConflict {
		t.Errorf("the content of a job that runs: %d", got)
	}
	w.decode(w.ask("DELETE", "uni/exports/"+running.ID, "admin", ""), 200)
	goOn()
	w.eventually("the scan ended", func() bool { return len(w.scratch()) == 0 && !w.exports.holds(running.ID) })
	if n := len(w.files.names()); n != 0 {
		t.Errorf("%d files", n)
	}
	ready := w.untilStatus(w.make(`{"filter":{"range":"30d"}}`).ID, actionlog.ExportReady)
	if x := w.decode(w.ask("DELETE", "uni/exports/"+ready.ID, "admin", ""), 200); x.Status != actionlog.ExportExpired {
		t.Errorf("%+v", x)
	}
	w.eventually("its file is gone", func() bool { return len(w.files.names()) == 0 })
	for _, id := range []string{waiting.ID, running.ID, ready.ID} {
		if got := content(id); got != http.StatusGone {
			t.Errorf("the content of what is over: %d", got)
		}
		if r := w.ask("DELETE", "uni/exports/"+id, "admin", ""); r.Code != http.StatusConflict {
			t.Errorf("once more: %d %s", r.Code, r.Body)
		}
	}
	w.eventually("recorded", func() bool {
		c := w.stream.codes("uni")
		return c["exported failure"] == 2 && c["exported success"] == 1
	})
	by := map[string]int{}
	w.stream.mu.Lock()
	defer w.stream.mu.Unlock()
	for _, d := range w.stream.all {
		if d.Outcome == "failure" {
			by[d.Actor.ID+" "+d.Reason]++
		}
	}
	if by["support cancelled"] != 1 || by["admin cancelled"] != 1 {
		t.Errorf("cancelled by %v", by)
	}
}

// A file goes with its time, and later its job; there are never more than so many.
func TestExportJobExpires(t *testing.T) {
	w := newExportWorld(t, 10)
	w.exports.Most = 3
	w.run()
	var x actionlog.Export
	for range 3 {
		x = w.untilStatus(w.make(`{"filter":{"range":"30d"}}`).ID, actionlog.ExportReady)
	}
	if r := w.ask("POST", "uni/exports", "admin", `{}`); r.Code != http.StatusConflict || !strings.Contains(r.Body.String(), "has 3 exports") {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	if n := w.stream.codes("uni")["export_started success"]; n != 3 {
		t.Errorf("%d exports are recorded", n)
	}
	if !x.ExpiresAt.Equal(x.EndedAt.Add(72 * time.Hour)) {
		t.Errorf("%+v", x)
	}
	w.now.add(72 * time.Hour)
	if got := w.show(x.ID); got.Status != actionlog.ExportExpired {
		t.Errorf("%+v", got)
	}
	if r := w.ask("GET", "uni/exports/"+x.ID+"/content", "admin", ""); r.Code != http.StatusGone {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	w.eventually("the files are gone", func() bool { return len(w.files.names()) == 0 })
	w.untilStatus(w.make(`{}`).ID, actionlog.ExportReady)
	w.now.add(rememberExports)
	w.eventually("the jobs are forgotten", func() bool { return w.ask("GET", "uni/exports/"+x.ID, "admin", "").Code == http.StatusNotFound })
}

// What goes wrong: what passes has the job begun anew, the rest ends it, and says why;
// nothing is left, and the next job is not harmed.
func TestExportJobFails(t *testing.T) {
	for _, c := range []failure{
		{name: "engine", store: fmt.Errorf("engine: %w", actionlog.ErrUnavailable), problem: "engine: unavailable", tries: maxTries},
		{name: "defect", store: errors.New("secret defect"), problem: "the service failed; its log says why", tries: 1},
		{name: "storage", files: fmt.Errorf("s3: %w", actionlog.ErrUnavailable), problem: "s3: unavailable", tries: maxTries},
		{name: "full", files: &os.PathError{Op: "write", Path: "/secret", Err: syscall.ENOSPC}, problem: "there is no room for it on the service's disk; nothing of it was kept", tries: 1},
		{name: "no room", room: leaveRoom, problem: "there is no room for it on the service's disk; nothing of it was kept", tries: 1},
		{name: "no folder", dir: true, problem: "its file cannot be written: no such file or directory", tries: 1},
	} {
		t.Run(c.name, c.run)
	}
}

// failure is what goes wrong with a job, and what is said of it.
type failure struct {
	name    string
	store   error // of each record
	files   error // of Create
	room    int64
	dir     bool // the folder cannot be written
	problem string
	tries   int
}

func (c failure) run(t *testing.T) {
	w := newExportWorld(t, 200)
	begun := 0
	w.store.Fault = func(call string) error {
		if call == "Scan" {
			begun++
		}
		if call == "record" {
			return c.store
		}
		return nil
	}
	w.files.fault = func(call string) error {
		if call == "Create" {
			return c.files
		}
		return nil
	}
	if c.room > 0 {
		w.exports.Room = func() (int64, error) { return c.room, nil }
	}
	w.run()
	w.eventually("it is ready", func() bool { _, err := os.Stat(w.exports.Dir); return err == nil })
	if c.dir {
		if err := os.RemoveAll(w.exports.Dir); err != nil {
			t.Fatal(err)
		}
	}
	made := w.make(`{"filter":{"range":"30d"}}`)
	x := w.untilStatus(made.ID, actionlog.ExportFailed)
	if x.Problem != c.problem || begun != c.tries && !c.dir || x.Count != nil || x.SHA256 != "" {
		t.Errorf("%d times: %+v", begun, x)
	}
	if r := w.ask("GET", "uni/exports/"+x.ID+"/content", "admin", ""); r.Code != http.StatusConflict || !strings.Contains(r.Body.String(), c.problem) {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	w.eventually("recorded", func() bool { return w.stream.codes("uni")["exported failure"] == 1 })
	if left := w.scratch(); len(left)+len(w.files.names()) > 0 {
		t.Errorf("left: %v %v", left, w.files.names())
	}
	w.store.Fault, w.files.fault, w.exports.Room = nil, nil, nil
	if c.dir {
		if err := os.MkdirAll(w.exports.Dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if next := w.untilStatus(w.make(`{"filter":{"range":"30d"}}`).ID, actionlog.ExportReady); *next.Count != 200 {
		t.Errorf("%+v", next)
	}
}

// What is read back is judged by its bytes.
func TestCountRecords(t *testing.T) {
	row := strings.Repeat(",", len(csvColumns)-1)
	for _, c := range []struct {
		format, text string
		n            int64
		broken       bool
	}{
		{"ndjson", "", 0, false}, {"ndjson", "{}\n{}\n", 2, false}, {"ndjson", "{}\n{", 1, true}, {"ndjson", strings.Repeat("x", 1<<20) + "\n{}\n", 2, false}, {"ndjson", strings.Repeat("x", 256<<10), 0, true},
		{"json", "[\n]\n", 0, false}, {"json", "[\n{},\n{}\n]\n", 2, false}, {"json", "[\n{},\n{}\n", 2, true}, {"json", "[{}] x", 1, true}, {"json", "{}", 0, true}, {"json", "", 0, true},
		{"csv", row + "\r\n", 0, false}, {"csv", row + "\r\n" + `"a` + "\n" + `b"` + row + "\r\n", 1, false}, {"csv", row + "\r\n" + row + ",\r\n", 0, true}, {"csv", "", -1, true}, {"csv", row + "\r\n" + `"`, 0, true},
	} {
		n, err := CountRecords(c.format, strings.NewReader(c.text))
		if n != c.n || (err != nil) != c.broken {
			t.Errorf("%s %.30q: %d %v", c.format, c.text, n, err)
		}
	}
}
