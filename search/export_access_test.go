package search

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"actionlog"
)

// Jobs are an institution's own: another is told that there is no such job, whatever it
// asks; who may not export may do nothing with them; staff have the display name.
func TestExportJobsOfAnother(t *testing.T) {
	w := newExportWorld(t, 50)
	w.run()
	mine := w.untilStatus(w.make(`{"filter":{"user":"Ann Lee 1"}}`).ID, actionlog.ExportReady)
	theirs := w.decode(w.ask("POST", "other/exports", "all", `{"format":"csv"}`), http.StatusCreated)
	w.eventually("theirs is ready", func() bool {
		return w.decode(w.ask("GET", "other/exports/"+theirs.ID, "all", ""), 200).Status == actionlog.ExportReady
	})
	if r := w.ask("GET", "other/exports/"+theirs.ID+"/content", "all", ""); strings.Count(r.Body.String(), ",other,") != 3 || strings.Contains(r.Body.String(), "uni") {
		t.Errorf("%s", r.Body)
	}
	for _, method := range []string{"GET", "DELETE"} {
		for _, path := range []string{"uni/exports/" + theirs.ID, "other/exports/" + mine.ID, "uni/exports/..%2Fother%2F" + theirs.ID, "uni/exports/other%2F" + theirs.ID} {
			for _, tail := range []string{"", "/content"} {
				if method == "DELETE" && tail != "" {
					continue
				}
				if r := w.ask(method, path+tail, "all", ""); r.Code != http.StatusNotFound || strings.Contains(r.Body.String(), theirs.ID) {
					t.Errorf("%s %s: %d %s", method, path+tail, r.Code, r.Body)
				}
			}
		}
	}
	for _, role := range []string{"admin", "support"} {
		if r := w.ask("GET", "other/exports", role, ""); r.Code != http.StatusNotFound {
			t.Errorf("%d %s", r.Code, r.Body)
		}
	}
	if list := w.ask("GET", "uni/exports", "admin", "").Body.String(); strings.Contains(list, theirs.ID) || !strings.Contains(list, mine.ID) {
		t.Errorf("%s", list)
	}
	theirs = w.decode(w.ask("GET", "other/exports/"+theirs.ID, "all", ""), 200)
	// A job whose file is said to be another's is held back.
	if _, err := w.exports.book().update(t.Context(), exportKey("uni", mine.ID), func(x *exportRecord) error {
		x.Content = w.files.names()[slices.IndexFunc(w.files.names(), func(n string) bool { return strings.Contains(n, "other.") })]
		x.Bytes, x.SHA256 = theirs.Bytes, theirs.SHA256
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if r := w.ask("GET", "uni/exports/"+mine.ID+"/content", "admin", ""); r.Code != http.StatusInternalServerError || strings.Contains(r.Body.String(), "other") {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	for _, role := range []string{"auditor", "publisher", "operator"} {
		for _, c := range [][2]string{{"GET", ""}, {"POST", ""}, {"GET", "/" + mine.ID}, {"DELETE", "/" + mine.ID}, {"GET", "/" + mine.ID + "/content"}} {
			if r := w.ask(c[0], "uni/exports"+c[1], role, ""); r.Code != http.StatusForbidden {
				t.Errorf("%s %s as %s: %d", c[0], c[1], role, r.Code)
			}
		}
	}
	staffs := w.decode(w.ask("POST", "uni/exports", "support", `{}`), http.StatusCreated)
	if by := w.show(staffs.ID).By; by.ID != "" || by.Name != "OpenLearning System" || !by.Staff || staffs.By.ID != "support" {
		t.Errorf("%+v, and to staff %+v", by, staffs.By)
	}
}

// A body that is wrong says what is.
func TestExportRequests(t *testing.T) {
	w := newExportWorld(t, 5)
	for body, pointer := range map[string]string{
		`{"format":"pdf"}`: "/format", `{"format":""}`: "/format", `{"order":"up"}`: "/order", `{"bom":true}`: "/bom", `{"filter":{"colour":"red"}}`: "/filter/colour",
		`{"filter":{"range":"30d","from":"now-1d"}}`: "/filter/range", `{"filter":{"from":"soon"}}`: "/filter/from", `{"filter":{"to":"2020-01-01","from":"2021-01-01"}}`: "/filter/from",
		`{"filter":{"tz":"Mars"}}`: "/filter/tz", `{"filter":{"category":["course","x"]}}`: "/filter/category", `{"filter":{"any":"!"}}`: "/filter/any", `{"filter":{"user":{}}}`: "/filter/user", `{"filter":{"user":[]}}`: "/filter/user",
		`{"filter":{"near":"perhaps"}}`: "/filter/near", `{"filter":{"missing_days":["a","b"]}}`: "/filter/missing_days", `{"filter":{"cursor":"x"}}`: "/filter/cursor", `{"filter":{"format":"csv"}}`: "/filter/format",
		`{"filter":{"to":"now+999999d"}}`: "", `{"filter":{"any":"` + strings.Repeat("x", maxExportFilter) + `"}}`: "/filter", `{"colour":1}`: "-", `{`: "-", `[]`: "-", `{"format":null}`: "-", `{"format":"csv","format":"csv"}`: "-",
	} {
		r := w.ask("POST", "uni/exports", "admin", body)
		if pointer == "" {
			if r.Code != http.StatusCreated && !strings.Contains(r.Body.String(), "/filter/") {
				t.Errorf("%s: %d %s", body, r.Code, r.Body)
			}
			continue
		}
		if has := strings.Contains(r.Body.String(), `"pointer":"`+pointer+`"`); r.Code != http.StatusBadRequest || has == (pointer == "-") || r.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%.80s: %d %s", body, r.Code, r.Body)
		}
	}
	w.store.Fault = func(string) error { return fmt.Errorf("engine: %w", actionlog.ErrUnavailable) }
	if r := w.ask("POST", "uni/exports", "admin", `{}`); r.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	w.store.Fault = nil
	w.stream.refuses(true)
	if r := w.ask("POST", "uni/exports", "admin", `{}`); r.Code != http.StatusServiceUnavailable {
		t.Errorf("what cannot be recorded: %d %s", r.Code, r.Body)
	}
	if list := w.ask("GET", "uni/exports", "admin", "").Body.String(); strings.Count(list, `"waiting"`) > 1 {
		t.Errorf("%s", list)
	}
	for _, query := range []string{"uni/exports?limit=x", "uni/exports?status=ready", "uni/exports/x?limit=1"} {
		if r := w.ask("GET", query, "admin", ""); r.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", query, r.Code)
		}
	}
}

// A file that lies where this process does not look is 503, and says so; requests of an
// institution that fetch are not without end.
func TestExportContentElsewhere(t *testing.T) {
	w := newExportWorld(t, 5)
	w.run()
	x := w.untilStatus(w.make(`{}`).ID, actionlog.ExportReady)
	path := "uni/exports/" + x.ID + "/content"
	for range maxFetching {
		if !w.exports.enter("uni") {
			t.Fatal("too soon")
		}
	}
	if r := w.ask("GET", path, "admin", ""); r.Code != http.StatusTooManyRequests || r.Header().Get("Retry-After") == "" {
		t.Errorf("%d %s", r.Code, r.Body)
	}
	for range maxFetching {
		w.exports.leave("uni")
	}
	w.files.mu.Lock()
	clear(w.files.files)
	w.files.mu.Unlock()
	if r := w.ask("GET", path, "admin", ""); r.Code != http.StatusServiceUnavailable || !strings.Contains(r.Body.String(), "lies with another process") || r.Header().Get("ETag") != "" {
		t.Errorf("%d %s %v", r.Code, r.Body, r.Header())
	}
	if n := w.stream.codes("uni")["export_downloaded success"]; n != 0 {
		t.Errorf("%d downloads are recorded", n)
	}
}

// What comes back from the disk counts, not what was written.
func TestExportIsReadBack(t *testing.T) {
	for name, change := range map[string]func(text []byte) []byte{
		"sound": func(text []byte) []byte { return text }, "a bit": func(text []byte) []byte { text[9] ^= 1; return text }, "cut": func(text []byte) []byte { return text[:len(text)-3] },
		"a line less": func(text []byte) []byte { return text[:6] }, "nothing": func([]byte) []byte { return nil }, "more": func(text []byte) []byte { return append(text, "{}\n"...) },
	} {
		text := []byte(`{"a":1}` + "\n" + `{"a":2}` + "\n")
		sum := sha256.Sum256(text)
		w := &writing{exportOptions: exportOptions{name: "ndjson"}, count: 2, sum: hex.EncodeToString(sum[:])}
		path := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(path, change(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		x := &exportRecord{}
		err = w.check(context.Background(), f, x)
		if f.Close(); (err == nil) != (name == "sound") || err != nil && !errors.Is(err, errAltered) || err == nil && (*x.Count != 2 || *x.Bytes != 16) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
