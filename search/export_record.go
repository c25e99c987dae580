package search

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"actionlog"
)

// exportsBucket of the state holds export jobs, by institution and ID.
const exportsBucket = "exports"

func exportKey(institution, id string) string { return institution + "/" + id }

// errOver: the job was cancelled, or another process took it over.
var errOver = errors.New("the export is another's by now, or was cancelled")

// exportRecord is an export as it stands in the state.
type exportRecord struct {
	actionlog.Export
	// Maker is who made it: what the job records of itself says so too.
	Maker exportActor `json:"maker"`
	// Holder is the process that runs it, Attempt which time it is begun: whoever finds
	// another one has lost it.
	Holder  string `json:"holder,omitempty"`
	Attempt string `json:"attempt,omitempty"`
	// Tries is how often it was begun without anybody asking for a stop.
	Tries int `json:"tries,omitempty"`
	// Beat changes while it runs, so that others see that it does.
	Beat int64 `json:"beat,omitempty"`
	// Content is the name of the file in the storage; "": there is none, or no more.
	Content string `json:"content,omitempty"`
	// End is what is recorded of its end; nil: nothing, or it is.
	End *exportEnd `json:"end,omitempty"`
}

// exportActor is who did something, as an action says it.
type exportActor struct {
	Actor   map[string]any `json:"actor"`
	Channel string         `json:"channel"`
	Request string         `json:"request"` // its ID
}

// exportEnd is how an export ended, as it will be recorded: the same however often.
type exportEnd struct {
	ID      string         `json:"id"` // of the action
	At      time.Time      `json:"at"`
	By      exportActor    `json:"by"` // who made it, or who cancelled it
	Failed  bool           `json:"failed,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	Summary string         `json:"summary"`
	Details map[string]any `json:"details"`
}

// values are its parameters, as a request has them.
func (x *exportRecord) values() url.Values {
	values := url.Values(maps.Clone(x.Filter))
	if values == nil {
		values = url.Values{}
	}
	values.Set("from", x.From.UTC().Format(time.RFC3339Nano))
	values.Set("to", x.To.UTC().Format(time.RFC3339Nano))
	values.Set("tz", x.TZ)
	return values
}

// ends says how it ended, now and in what is recorded.
func (x *exportRecord) ends(at time.Time, status actionlog.ExportStatus, problem string) {
	x.Status, x.EndedAt, x.Problem = status, at, problem
	x.Holder, x.Attempt = "", ""
	e := &exportEnd{ID: newTestimonyID(), At: at, By: x.Maker, Details: map[string]any{"export": x.ID, "job": true, "rows": x.Written, "format": x.Format, "filter": x.values()}}
	switch status {
	case actionlog.ExportReady:
		e.Summary = fmt.Sprintf("%d actions exported as %s", x.Written, x.Format)
		e.Details["sha256"] = x.SHA256
	case actionlog.ExportCancelled:
		e.Failed, e.Reason, e.Summary = true, "cancelled", fmt.Sprintf("An export was cancelled after %d actions", x.Written)
	default:
		e.Failed, e.Reason, e.Summary = true, problem, fmt.Sprintf("An export failed after %d actions", x.Written)
	}
	x.End = e
}

// document is its end as an action document.
func (x *exportRecord) document() map[string]any {
	st := step{code: codeExported, failed: x.End.Failed, reason: x.End.Reason, summary: x.End.Summary, details: x.End.Details}
	d := st.document(x.Institution, x.End.ID, x.End.At)
	d["actor"] = x.End.By.Actor
	d["origin"] = map[string]any{"channel": x.End.By.Channel}
	d["trace"] = map[string]any{"request_id": x.End.By.Request}
	return d
}

// exportBook keeps exports in the state.
type exportBook struct{ state actionlog.State }

func (b exportBook) get(ctx context.Context, key string) (x exportRecord, revision uint64, err error) {
	x, revision, err = actionlog.GetValue[exportRecord](ctx, b.state, exportsBucket, key)
	if errors.Is(err, actionlog.ErrNotFound) {
		return x, 0, fmt.Errorf("there is no such export: %w", actionlog.ErrNotFound)
	}
	if err == nil && exportKey(x.Institution, x.ID) != key {
		err = errors.New("its key is another's")
	}
	if err != nil {
		return exportRecord{}, 0, fmt.Errorf("export %s: %w", key, err)
	}
	return x, revision, nil
}

func (b exportBook) put(ctx context.Context, x *exportRecord, revision uint64) error {
	_, err := actionlog.PutValue(ctx, b.state, exportsBucket, exportKey(x.Institution, x.ID), x, revision)
	return err
}

// update changes an export, again where somebody else did meanwhile.
func (b exportBook) update(ctx context.Context, key string, change func(x *exportRecord) error) (exportRecord, error) {
	for {
		x, revision, err := b.get(ctx, key)
		if err == nil {
			err = change(&x)
		}
		if err != nil {
			return x, err
		}
		if err = b.put(ctx, &x, revision); !errors.Is(err, actionlog.ErrConflict) {
			return x, err
		}
		if ctx.Err() != nil {
			return x, ctx.Err()
		}
	}
}

// of are an institution's exports, oldest first.
func (b exportBook) of(ctx context.Context, institution string) (all []exportRecord, err error) {
	keys, err := b.state.List(ctx, exportsBucket)
	if err != nil {
		return nil, err
	}
	for _, key := range keys {
		if !strings.HasPrefix(key, institution+"/") {
			continue
		}
		x, _, err := b.get(ctx, key)
		if errors.Is(err, actionlog.ErrNotFound) {
			continue // it was removed meanwhile
		}
		if err != nil {
			return nil, err
		}
		all = append(all, x)
	}
	slices.SortFunc(all, func(a, b exportRecord) int { return cmp.Compare(a.ID, b.ID) })
	return all, nil
}

// newExportID makes an ID that sorts by time.
func newExportID(now time.Time) string {
	return now.UTC().Format("20060102-150405.000-") + strings.ToLower(rand.Text()[:8])
}
