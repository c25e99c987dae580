package main

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Relay publishes what stands in an outbox, in the order in which it was written, and marks
// it once the action log has it. Whenever it is killed, it begins again with what is not
// marked: an action may be published twice, with the same id and the same content, which
// the action log knows as a repeat.
type Relay struct {
	DB     *sql.DB
	URL    string // of the action log's API
	Token  string // with the role publisher
	Batch  int    // rows of a request; at most 10,000
	Client *http.Client
	Log    *slog.Logger
}

// Statements that PostgreSQL and SQLite both understand.
const (
	selectWaiting = `SELECT position, institution, document FROM outbox WHERE sent_at IS NULL AND refused IS NULL ORDER BY position LIMIT $1`
	markSent      = `UPDATE outbox SET sent_at = CURRENT_TIMESTAMP WHERE position = $1`
	markRefused   = `UPDATE outbox SET refused = $2 WHERE position = $1`
)

// maxBody is how long a request gets, in bytes; the action log takes 64 MiB.
const maxBody = 32 << 20

// row is an action that waits.
type row struct {
	position    int64
	institution string
	document    string
}

// later asks to come again after a time: nothing is wrong with the rows.
type later struct {
	after time.Duration
	error
}

// Run relays until ctx is done. While the action log is away it tries again, ever more
// slowly, up to half a minute; what waits meanwhile waits in the table.
func (r *Relay) Run(ctx context.Context) error {
	pause := time.Second
	for {
		n, err := r.Once(ctx)
		wait := time.Duration(0)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			var l later
			errors.As(err, &l)
			wait = max(l.after, pause)
			pause = min(2*pause, 30*time.Second)
			r.Log.Warn("not published; trying again", "in", wait, "error", err)
		case n == 0:
			wait, pause = 200*time.Millisecond, time.Second
		default:
			pause = time.Second
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// Once publishes what waits, at most a batch, and tells how many rows it marked.
func (r *Relay) Once(ctx context.Context) (marked int, err error) {
	rows, err := r.waiting(ctx)
	for len(rows) > 0 && err == nil {
		n, size := 1, len(rows[0].document) // a request is of one institution: those that follow each other go together
		for n < len(rows) && rows[n].institution == rows[0].institution && size+len(rows[n].document) <= maxBody {
			size += len(rows[n].document)
			n++
		}
		var done int
		done, err = r.publish(ctx, rows[:n])
		marked, rows = marked+done, rows[n:]
	}
	return marked, err
}

func (r *Relay) waiting(ctx context.Context) (list []row, err error) {
	rows, err := r.DB.QueryContext(ctx, selectWaiting, cmp.Or(r.Batch, 500))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var w row
		if err := rows.Scan(&w.position, &w.institution, &w.document); err != nil {
			return nil, err
		}
		list = append(list, w)
	}
	return list, rows.Err()
}

// answer is what the action log says of each document, in their order.
type answer struct {
	Results []struct {
		Status int `json:"status"`
		Error  struct {
			Pointer string `json:"pointer"`
			Detail  string `json:"detail"`
		} `json:"error"`
	} `json:"results"`
	Detail string `json:"detail"` // of a problem
}

// publish sends rows of one institution, and marks them by what the action log answered.
func (r *Relay) publish(ctx context.Context, rows []row) (marked int, err error) {
	var body bytes.Buffer
	for _, w := range rows {
		line := body.Len()
		if err := json.Compact(&body, []byte(w.document)); err != nil { // which the action log will say
			body.Truncate(line)
			body.WriteString(strings.NewReplacer("\n", " ", "\r", " ").Replace(w.document))
		}
		body.WriteByte('\n')
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL+"/v1/institutions/"+rows[0].institution+"/actions", &body)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+r.Token)
	request.Header.Set("Content-Type", "application/x-ndjson")
	response, err := r.Client.Do(request)
	if err != nil {
		return 0, err // whether it was taken nobody knows: it is sent again, and known there
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	var a answer
	err = json.Unmarshal(text, &a)
	if s := response.StatusCode; (err != nil || len(a.Results) != len(rows)) && (s == http.StatusBadRequest || s == http.StatusRequestEntityTooLarge) {
		return r.oneByOne(ctx, rows, a.Detail)
	}
	if err != nil || len(a.Results) != len(rows) {
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return 0, later{time.Duration(seconds) * time.Second, fmt.Errorf("%s: %s", response.Status, a.Detail)}
	}
	return r.mark(ctx, rows, a)
}

// oneByOne finds the row for which a whole request was refused. Alone it is refused for good.
func (r *Relay) oneByOne(ctx context.Context, rows []row, why string) (marked int, err error) {
	if len(rows) == 1 {
		r.Log.Error("refused for good", "position", rows[0].position, "why", why)
		_, err := r.DB.ExecContext(ctx, markRefused, rows[0].position, why)
		return 1, err
	}
	for i := range rows {
		n, err := r.publish(ctx, rows[i:i+1])
		if marked += n; err != nil {
			return marked, err
		}
	}
	return marked, nil
}

// mark notes what became of rows, in one transaction. What was neither taken nor refused
// waits on.
func (r *Relay) mark(ctx context.Context, rows []row, a answer) (marked int, err error) {
	tx, err := r.DB.BeginTx(ctx, nil)
	if err != nil {
		return 0, err
	}
	defer func() { _ = tx.Rollback() }()
	for i, result := range a.Results {
		switch s := result.Status; {
		case s == http.StatusOK || s == http.StatusCreated:
			_, err = tx.ExecContext(ctx, markSent, rows[i].position)
		case s >= 400 && s < 500 && s != http.StatusTooManyRequests:
			why := result.Error.Pointer + ": " + result.Error.Detail
			r.Log.Error("refused for good", "position", rows[i].position, "why", why)
			_, err = tx.ExecContext(ctx, markRefused, rows[i].position, why)
		default:
			continue
		}
		if err != nil {
			return 0, err
		}
		marked++
	}
	if err := tx.Commit(); err != nil {
		return 0, err
	}
	if marked < len(rows) {
		return marked, later{error: fmt.Errorf("%d of %d are to come again", len(rows)-marked, len(rows))}
	}
	return marked, nil
}
