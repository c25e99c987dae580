package search

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// The file of a job is what GET export answers with, in every format; what is said of it
// is true; and it is recorded: when it begins, when it ends, and who fetches it.
func TestExportJobs(t *testing.T) {
	w := newExportWorld(t, 300)
	w.run()
	for i, c := range []struct{ body, query string }{
		{`{"format":"csv","filter":{"range":"30d","tz":"Asia/Kolkata"},"bom":true}`, "format=csv&range=30d&tz=Asia/Kolkata&bom=1"},
		{`{"format":"json","filter":{"user":["Ann Lee 1"],"range":"7d"},"order":"oldest"}`, "format=json&user=Ann+Lee+1&range=7d&order=oldest"},
		{`{"filter":{"action":"x.1","actor_kind":["staff","user"]}}`, "action=x.1&actor_kind=staff&actor_kind=user"},
		{`{"format":"ndjson","filter":{"any":"nowhere"}}`, "any=nowhere"},
		{`{"format":"json","filter":{"any":"nowhere"}}`, "any=nowhere&format=json"},
		{`{"format":"csv","filter":{"any":["nowhere"]}}`, "any=nowhere&format=csv"},
		{`{"format":"ecs","filter":{"range":"30d"}}`, "format=ecs&range=30d"},
	} {
		made := w.make(c.body)
		want := w.ask("GET", "uni/export?"+c.query, "admin", "")
		x := w.untilStatus(made.ID, actionlog.ExportReady)
		got := w.ask("GET", "uni/exports/"+x.ID+"/content", "admin", "")
		if got.Body.String() != want.Body.String() || got.Header().Get("Content-Type") != want.Header().Get("Content-Type") {
			t.Errorf("%s: %d bytes, and GET export has %d", c.body, got.Body.Len(), want.Body.Len())
		}
		trailer := want.Result().Trailer
		if fmt.Sprint(*x.Count) != trailer.Get(trailerCount) || x.SHA256 != trailer.Get(trailerDigest) || *x.Bytes != int64(got.Body.Len()) || x.Total.Value != *x.Count || x.Written != *x.Count {
			t.Errorf("%s: %+v, and GET export has %v", c.body, x, trailer)
		}
		if got.Header().Get("ETag") != `"`+x.SHA256+`"` || !strings.Contains(got.Header().Get("Content-Disposition"), x.FileName) || x.CompleteThrough == nil || !made.From.Equal(x.From) {
			t.Errorf("%v %+v", got.Header(), x)
		}
		w.eventually("its end is recorded", func() bool { return w.stream.codes("uni")["exported success"] == 2*(i+1) })
	}
	if codes := w.stream.codes("uni"); codes["export_started success"] != 14 || codes["export_downloaded success"] != 7 {
		t.Errorf("%v", codes)
	}
	if left := w.scratch(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	var list struct{ Data []actionlog.Export }
	if err := json.Unmarshal(w.ask("GET", "uni/exports?limit=4", "admin", "").Body.Bytes(), &list); err != nil || len(list.Data) != 4 || !slices.IsSortedFunc(list.Data, func(a, b actionlog.Export) int { return strings.Compare(b.ID, a.ID) }) {
		t.Errorf("%+v %v", list, err)
	}
}

// Parts of a file, as RFC 9110 has them.
func TestExportRanges(t *testing.T) {
	w := newExportWorld(t, 2500)
	w.run()
	x := w.untilStatus(w.make(`{"filter":{"range":"90d"}}`).ID, actionlog.ExportReady)
	path, etag := "uni/exports/"+x.ID+"/content", `"`+x.SHA256+`"`
	whole := w.ask("GET", path, "admin", "").Body.String()
	size := len(whole)
	if size < contentPiece || len(w.files.files) != 1 {
		t.Fatalf("%d bytes are less than a piece", size)
	}
	for _, c := range []struct {
		header []string
		status int
		body   string
		part   string
	}{
		{[]string{"Range", "bytes=0-9"}, 206, whole[:10], fmt.Sprintf("bytes 0-9/%d", size)},
		{[]string{"Range", "bytes=700-", "If-Range", etag}, 206, whole[700:], fmt.Sprintf("bytes 700-%d/%d", size-1, size)},
		{[]string{"Range", fmt.Sprintf("bytes=%d-%d", contentPiece-5, contentPiece+5)}, 206, whole[contentPiece-5 : contentPiece+6], ""},
		{[]string{"Range", "bytes=-17"}, 206, whole[size-17:], ""},
		{[]string{"Range", fmt.Sprintf("bytes=%d-", size)}, 416, "", fmt.Sprintf("bytes */%d", size)},
		{[]string{"Range", "bytes=9-2"}, 416, "", fmt.Sprintf("bytes */%d", size)},
		{[]string{"Range", "bytes=-0"}, 416, "", fmt.Sprintf("bytes */%d", size)},
		{[]string{"Range", "bytes=0-1,5-6"}, 200, whole, ""},
		{[]string{"Range", "bytes=700-", "If-Range", `"another"`}, 200, whole, ""},
		{[]string{"Range", "bytes=700-", "If-Range", `W/` + etag}, 200, whole, ""},
		{[]string{"Range", "pages=1-2"}, 200, whole, ""},
		{[]string{"If-None-Match", etag}, 304, "", ""},
		{[]string{"If-None-Match", `"another"`}, 200, whole, ""},
		{[]string{"If-Match", `"another"`}, 412, "", ""},
	} {
		r := w.ask("GET", path, "admin", "", c.header...)
		if r.Code != c.status || r.Code < 300 && r.Body.String() != c.body || c.part != "" && r.Header().Get("Content-Range") != c.part {
			t.Errorf("%v: %d, %d bytes, %v", c.header, r.Code, r.Body.Len(), r.Header())
		}
		if r.Code >= 400 && (r.Header().Get("Content-Type") != "application/problem+json" || r.Header().Get("ETag") != "") || r.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("%v: %v %s", c.header, r.Header(), r.Body)
		}
		if r.Code < 300 && (r.Header().Get("ETag") != etag || r.Header().Get("Accept-Ranges") != "bytes" || r.Header().Get("Content-Length") != fmt.Sprint(len(c.body)) || !strings.HasPrefix(r.Header().Get("Repr-Digest"), "sha-256=:")) {
			t.Errorf("%v: %v", c.header, r.Header())
		}
	}
	if n := w.stream.codes("uni")["export_downloaded success"]; n != 7 { // each that begins at the beginning
		t.Errorf("%d downloads are recorded", n)
	}
}

// Who fetches is recorded: each who begins at the beginning, others once an hour. What
// cannot be recorded is not answered.
func TestExportDownloadsAreRecorded(t *testing.T) {
	w := newExportWorld(t, 20)
	w.run()
	x := w.untilStatus(w.make(`{"filter":{"range":"90d"}}`).ID, actionlog.ExportReady)
	path := "uni/exports/" + x.ID + "/content"
	for i, c := range []struct {
		after time.Duration
		want  int
	}{{0, 1}, {time.Minute, 1}, {2 * time.Hour, 2}} {
		w.now.add(c.after)
		w.ask("GET", path, "support", "", "Range", "bytes=1-")
		if n := w.stream.codes("uni")["export_downloaded success"]; n != c.want {
			t.Errorf("%d: %d downloads of support are recorded", i, n)
		}
	}
	w.stream.refuses(true)
	for _, header := range [][]string{nil, {"Range", "bytes=0-"}} {
		if r := w.ask("GET", path, "admin", "", header...); r.Code != 503 || r.Header().Get("ETag")+r.Header().Get("Content-Range")+r.Header().Get("Content-Disposition") != "" || strings.Contains(r.Body.String(), "a1") {
			t.Errorf("%v: %d %v %.100s", header, r.Code, r.Header(), r.Body)
		}
	}
	w.stream.refuses(false)
}

// A storage that fails on the way ends the body, not the file.
func TestExportContentBreaks(t *testing.T) {
	w := newExportWorld(t, 2500)
	w.run()
	x := w.untilStatus(w.make(`{"filter":{"range":"90d"}}`).ID, actionlog.ExportReady)
	path, size := "uni/exports/"+x.ID+"/content", int(*x.Bytes)
	n := 0
	w.files.fault = func(call string) error {
		if n++; call == "ReadRange" && n > 2 {
			return fmt.Errorf("s3: %w", actionlog.ErrUnavailable)
		}
		return nil
	}
	server := httptest.NewServer(w.handler)
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/v1/institutions/"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer admin")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if resp.StatusCode != 200 || err == nil || len(body) >= size {
		t.Errorf("%d, %d of %d bytes, %v", resp.StatusCode, len(body), size, err)
	}
}
