//go:build linux

package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// oracle compares what the publishers were told with what the system holds, once all
// faults are over: through its API, and in the files of its archive.
type oracle struct {
	run     run
	ledger  *ledger
	service *service
	parts   []*service          // the other processes
	wrong   map[string][]string // what is wrong, with the first examples
	counts  map[string]int
}

// mostExamples is how many examples of a kind are kept.
const mostExamples = 5

func (o *oracle) note(kind, format string, args ...any) {
	o.counts[kind]++
	if len(o.wrong[kind]) < mostExamples {
		o.wrong[kind] = append(o.wrong[kind], fmt.Sprintf(format, args...))
	}
}

// judge returns what is wrong; nothing is.
func (o *oracle) judge(ctx context.Context) error {
	o.wrong, o.counts = map[string][]string{}, map[string]int{}
	searchable, err := o.exported(ctx)
	if err != nil {
		return err
	}
	letters, err := o.letters(ctx)
	if err != nil {
		return err
	}
	if err := o.accounted(ctx); err != nil {
		o.note("archive", "%v", err)
	}
	archived, err := o.archived(ctx)
	if err != nil {
		return err
	}
	documents, _, _ := o.ledger.count()
	for n := range documents {
		o.one(n, searchable[n], letters[n], archived[n])
	}
	if err := o.byDay(ctx, documents); err != nil {
		return err
	}
	if len(o.wrong) == 0 {
		return nil
	}
	var text strings.Builder
	for kind, examples := range o.wrong {
		fmt.Fprintf(&text, "%s: %d\n  %s\n", kind, o.counts[kind], strings.Join(examples, "\n  "))
	}
	return fmt.Errorf("%s", text.String())
}

// mostByDay is how many actions are asked for by their day.
const mostByDay = 200

// byDay asks for actions of the first and the last hour of days by id and day: there it
// shows which day they are kept with.
func (o *oracle) byDay(ctx context.Context, documents int) error {
	for n, asked := 0, 0; n < documents && asked < mostByDay; n++ {
		d := o.run.document(n)
		if hour := d.at.UTC().Hour(); d.fate != stored || o.ledger.of(n) != taken || hour != 0 && hour != 23 {
			continue
		}
		asked++
		req, err := o.request(ctx, "/v1/institutions/"+d.institution+"/actions/"+d.id, url.Values{"day": {d.day}})
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			o.note("day", "%s of %s is not found with its day: %s", d.id, d.at.UTC().Format(time.RFC3339), resp.Status)
		}
	}
	return nil
}

// one judges a document: how often it is searchable, a dead letter and in the archive.
func (o *oracle) one(n, searchable, letters, archived int) {
	d := o.run.document(n)
	told := o.ledger.of(n)
	if searchable > 1 {
		o.note("doubled", "%s is searchable %d times", d.id, searchable)
	}
	if letters > 0 && d.fate != dead {
		o.note("dead", "%s is a dead letter", d.id)
	}
	if searchable > 0 && d.fate != stored {
		o.note("invented", "%s is searchable, though it is %s", d.id, d.fate)
	}
	if told == nothing && searchable+letters+archived > 0 {
		o.note("invented", "%s was never published", d.id)
	}
	if told != taken {
		return // it may be there or not
	}
	if d.fate == stored && searchable == 0 {
		o.note("lost", "%s was acknowledged and is not searchable (day %s)", d.id, d.day)
	}
	if d.fate == dead && letters == 0 {
		o.note("lost", "%s was acknowledged and is no dead letter", d.id)
	}
	if archived == 0 {
		o.note("archive", "%s was acknowledged and is not in it", d.id)
	}
}

func (o *oracle) request(ctx context.Context, path string, query url.Values) (*http.Request, error) {
	return o.requestOf(ctx, o.service, path, query)
}

// requestOf is a request to one of the processes.
func (o *oracle) requestOf(ctx context.Context, p *service, path string, query url.Values) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.file("http.addr")+path+"?"+query.Encode(), nil)
	if err == nil {
		req.Header.Set("Authorization", "Bearer "+o.service.file("admin.token"))
	}
	return req, err
}

// get calls the API; the answer is to be closed.
func (o *oracle) get(ctx context.Context, path string, query url.Values) (*http.Response, error) {
	return o.getOf(ctx, o.service, path, query)
}

func (o *oracle) getOf(ctx context.Context, p *service, path string, query url.Values) (*http.Response, error) {
	req, err := o.requestOf(ctx, p, path, query)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1000)) // what came says enough
		_ = resp.Body.Close()
		return nil, fmt.Errorf("%s: %s %s", path, resp.Status, body)
	}
	return resp, err
}

// exported counts how often each document is searchable, and compares each with what was
// published. It asks day by day: an action that is kept with another day is not found.
func (o *oracle) exported(ctx context.Context) (map[int]int, error) {
	found := map[int]int{}
	today := o.run.now().UTC().Truncate(24 * time.Hour)
	for _, institution := range append(slices.Clone(institutions), "another") {
		for ago := -2; ago <= 97; ago++ {
			if err := o.exportedDay(ctx, institution, today.AddDate(0, 0, -ago), found); err != nil {
				return nil, err
			}
		}
	}
	return found, nil
}

func (o *oracle) exportedDay(ctx context.Context, institution string, day time.Time, found map[int]int) error {
	query := url.Values{"format": {"ndjson"}, "from": {day.Format(time.RFC3339)}, "to": {day.AddDate(0, 0, 1).Format(time.RFC3339)}, "end": {"line"}, "missing_days": {"allow"}}
	resp, err := o.get(ctx, "/v1/institutions/"+institution+"/export", query)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	ended := false
	err = lines(resp.Body, func(line []byte) error {
		var r record
		if err := json.Unmarshal(line, &r); err != nil {
			return err
		}
		if r.End != nil {
			ended = true
			return nil
		}
		if n, ok := o.compared(institution, &r); ok {
			found[n]++
		}
		return nil
	})
	if err != nil || !ended {
		return fmt.Errorf("the export of %s, %s, broke off: %w", institution, day.Format(time.DateOnly), err)
	}
	return nil
}

// record is a line of an export, or the one that ends it.
type record struct {
	End      *struct{ Count int }
	ID, Day  string
	Document json.RawMessage
}

// compared compares an action with what was published; false: it is none of the run.
func (o *oracle) compared(institution string, r *record) (n int, ok bool) {
	n, ok = o.run.number(r.ID)
	if !ok {
		if !strings.HasPrefix(r.ID, "log-") { // what the service says of itself
			o.note("invented", "%s of %s", r.ID, institution)
		}
		return 0, false
	}
	d := o.run.document(n)
	if string(r.Document) != string(d.text) || d.institution != institution {
		o.note("altered", "%s of %s:\n    %.300s\n    %.300s", r.ID, institution, r.Document, d.text)
	}
	if r.Day != d.day {
		o.note("day", "%s is on %s, and not on %s", r.ID, r.Day, d.day)
	}
	return n, true
}

// deadLetters is a page of the list of dead letters.
type deadLetters struct {
	Data []struct{ Position, Reason, Document, Document_base64 string }
	Page struct{ Next *string }
	Meta struct{ By_reason map[string]int }
}

// deadLetters reads a page; the first has no cursor.
func (o *oracle) deadLetters(ctx context.Context, cursor string) (page deadLetters, err error) {
	query := url.Values{"limit": {"500"}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	resp, err := o.get(ctx, "/v1/dead-letters", query)
	if err != nil {
		return page, err
	}
	defer resp.Body.Close()
	return page, json.NewDecoder(resp.Body).Decode(&page)
}

// letters counts how often each document is a dead letter. One that was published several
// times is one each time: they are counted once.
func (o *oracle) letters(ctx context.Context) (map[int]int, error) {
	found := map[int]int{}
	total, listed := -1, 0
	for cursor := ""; ; {
		page, err := o.deadLetters(ctx, cursor)
		if err != nil {
			return nil, err
		}
		total = 0
		for _, n := range page.Meta.By_reason {
			total += n
		}
		for _, l := range page.Data {
			listed++
			text := l.Document
			if raw, err := base64.StdEncoding.DecodeString(l.Document_base64); err == nil && len(raw) > 0 {
				text = string(raw)
			}
			if n, ok := o.idIn(text); ok {
				found[n]++
				if d := o.run.document(n); text != string(d.text) {
					o.note("altered", "the dead letter %s:\n    %.300q\n    %.300q", d.id, text, d.text)
				}
			} else {
				o.note("dead", "a dead letter of nobody's: %s %.200s", l.Reason, text)
			}
		}
		if page.Page.Next == nil {
			break
		}
		cursor = *page.Page.Next
	}
	metric, err := o.metric(ctx, o.service, "actionlog_dead_letters")
	if err != nil {
		return nil, err
	}
	if total != listed || metric != listed {
		o.note("dead", "%d are counted, %d are in the metric, and %d are listed", total, metric, listed)
	}
	return found, nil
}

// idIn finds the id that every document of a run begins with, however spoilt.
func (o *oracle) idIn(text string) (int, bool) {
	rest, ok := strings.CutPrefix(text, `{"id":"`)
	if !ok {
		return 0, false
	}
	id, _, _ := strings.Cut(rest, `"`)
	return o.run.number(id)
}

// account is what the service says of all positions.
type account struct {
	Missing, Unarchived, Pending, Ahead int
	Differences                         []json.RawMessage
}

// accounted asks the service to account for every position itself, once store and archive
// are equally far.
func (o *oracle) accounted(ctx context.Context) error {
	for end := time.Now().Add(time.Minute); ; sleep(ctx, 200*time.Millisecond) {
		resp, err := o.account(ctx)
		if err != nil {
			return err
		}
		var a account
		err = json.NewDecoder(resp.Body).Decode(&a)
		_ = resp.Body.Close()
		switch {
		case err != nil:
			return err
		case a.Missing+a.Unarchived == 0 && a.Pending+a.Ahead == 0:
			return nil
		case a.Missing+a.Unarchived > 0, time.Now().After(end), ctx.Err() != nil:
			return fmt.Errorf("%+v", a)
		}
	}
}

// account asks who keeps the books; of two archivers the one that writes does.
func (o *oracle) account(ctx context.Context) (resp *http.Response, err error) {
	resp, err = o.get(ctx, "/v1/accounting", nil)
	for _, p := range o.parts {
		if err == nil {
			break
		}
		resp, err = o.getOf(ctx, p, "/v1/accounting", nil)
	}
	return resp, err
}

// stuckAfter is how long nothing more may become searchable before it is said that nothing
// will: a slow machine takes long, but goes on.
const stuckAfter = 5 * time.Minute

// settled waits until all that the stream holds is searchable and archived.
func (o *oracle) settled(ctx context.Context) error {
	published, moved := o.run.now(), time.Now()
	for last := (time.Time{}); ; {
		until, err := o.completeThrough(ctx)
		if err == nil && until.After(published) {
			return nil
		}
		if err == nil && until.After(last) {
			last, moved = until, time.Now()
		}
		if time.Since(moved) > stuckAfter {
			return fmt.Errorf("for %v nothing more of what was published becomes searchable: %v; %s", stuckAfter, err, o.service.tail())
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("what was published does not become searchable: %w; %s", ctx.Err(), o.service.tail())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// completeThrough is until when everything that was published is searchable.
func (o *oracle) completeThrough(ctx context.Context) (time.Time, error) {
	resp, err := o.get(ctx, "/v1/institutions/"+institutions[0]+"/actions", url.Values{"limit": {"1"}})
	if err != nil {
		return time.Time{}, err
	}
	defer resp.Body.Close()
	var answer struct {
		Meta struct {
			CompleteThrough time.Time `json:"complete_through"`
		}
	}
	err = json.NewDecoder(resp.Body).Decode(&answer)
	return answer.Meta.CompleteThrough, err
}
