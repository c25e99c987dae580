package search

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/people"
)

// Alerts is the log for who watches saved searches: with the filters and masks that who asks
// over HTTP has. New makes it ready.
type Alerts struct{ server *server }

// Sighting is an action that a watched search means.
type Sighting struct {
	Record actionlog.Record
	Behind string // the place behind it in the feed
	// Value is whom or what an alert of the kind first looks at, "" where the action has
	// none; Label is how people call it. The platform's staff are one.
	Value, Label string
}

// maxLabel is how long a label is at most, in bytes: a name may be as long as a document, and
// what an alert records has to fit a value of the state.
const maxLabel = 200

// staffValue stands for all of the platform's staff. No key of a directory begins so.
const staffValue = "staff"

// watchedFilter is what of a search an alert means: all but its time.
func watchedFilter(filter map[string][]string) url.Values {
	values := maps.Clone(url.Values(filter))
	for _, name := range []string{"range", "from", "to", "tz", "missing_days"} {
		delete(values, name)
	}
	if values == nil {
		values = url.Values{}
	}
	return values
}

// Page returns what a watched search means of up to most actions of the feed, from a place
// on, and the place behind all that was looked at. What alerts recorded is left out: it
// would raise them again.
func (a *Alerts) Page(ctx context.Context, w *actionlog.SavedSearch, at string, most int) (found []Sighting, next string, more bool, err error) {
	s := a.server
	q, err := s.feedQuery(ctx, w.Institution, watchedFilter(w.Filter))
	if err != nil {
		return nil, at, false, err
	}
	var page FeedPage
	err = s.unhurried.one(ctx, w.Institution, func() (err error) {
		page, err = s.feedOnce(ctx, &feeding{institution: w.Institution, query: q, at: at, limit: most})
		return err
	})
	if err != nil {
		return nil, at, false, err
	}
	for i := range page.Records {
		item, err := page.Records[i].Item()
		if err != nil {
			return nil, at, false, err
		}
		if item.Action.Code == codeAlertFired && strings.HasPrefix(item.ID, testimonyPrefix) {
			continue
		}
		x := Sighting{Record: page.Records[i], Behind: page.Behind[i]}
		if w.Alert.Kind == actionlog.AlertFirst {
			x.Value, x.Label = s.valueOf(w.Alert.Of, &item)
		}
		found = append(found, x)
	}
	return found, page.Next, page.More, nil
}

// valueOf is whom or what an alert looks at, and how people call it.
func (s *server) valueOf(of actionlog.AlertOf, item *actionlog.Item) (value, label string) {
	actor := item.Action.Actor
	switch {
	case of == actionlog.AlertOfIP:
		if item.Action.Origin.IP.IsValid() {
			value = item.Action.Origin.IP.String()
		}
		return value, value
	case of == actionlog.AlertOfAPIKey && actor.Kind != actionlog.KindAPIKey:
		return "", ""
	case item.Staff && s.Staff != actionlog.StaffShown:
		return staffValue, s.StaffDisplay
	}
	for _, text := range []string{actor.Name, actor.Email, actor.ID, actor.ExternalID} {
		if label == "" {
			label = text
		}
	}
	return people.Key(actor), clipped(label, maxLabel)
}

// Seen tells whether an action that a watched search means, with the same value, came before
// one that has it. It looks as far back as the log is searchable.
func (a *Alerts) Seen(ctx context.Context, w *actionlog.SavedSearch, value string, before actionlog.Position, received time.Time) (bool, error) {
	s := a.server
	q, err := s.feedQuery(ctx, w.Institution, watchedFilter(w.Filter))
	if err != nil {
		return false, err
	}
	clause, err := valueClause(w.Alert.Of, value)
	if err != nil {
		return false, err
	}
	q.Clauses = append(q.Clauses, clause)
	if w.Alert.Of == actionlog.AlertOfAPIKey {
		q.Clauses = append(q.Clauses, actionlog.Clause{Field: actionlog.FieldActorKind, Values: []actionlog.Value{{Text: actionlog.KindAPIKey}}})
	}
	var after actionlog.Mark
	for {
		var page actionlog.Page
		err := s.unhurried.one(ctx, w.Institution, func() error {
			return s.inTurn(ctx, w.Institution, true, func() (err error) {
				page, err = s.Searcher.Page(ctx, q, actionlog.OldestFirst, after, 100)
				return err
			})
		})
		if err != nil {
			return false, err
		}
		for _, r := range page.Records {
			if r.Position.Stream == before.Stream && r.Position.Sequence < before.Sequence || r.Position.Stream != before.Stream && r.ReceivedAt.Before(received) {
				return true, nil
			}
		}
		if after = page.Next; after == "" {
			return false, nil
		}
	}
}

// valueClause looks for what valueOf found.
func valueClause(of actionlog.AlertOf, value string) (c actionlog.Clause, err error) {
	if of == actionlog.AlertOfIP {
		v, err := readPrefix(value)
		return actionlog.Clause{Field: actionlog.FieldIP, Values: []actionlog.Value{v}}, err
	}
	person := actionlog.PersonMatch{Key: value}
	if value == staffValue {
		person = actionlog.PersonMatch{Staff: true}
	}
	return actionlog.Clause{Field: actionlog.FieldActor, Values: []actionlog.Value{{Person: person}}}, nil
}

// Raised is why an alert was raised.
type Raised struct {
	ID       string // of the action by which it was
	Day      actionlog.Day
	At       time.Time // when the stream took that
	Label    string    // of AlertFirst: whom or what it is about
	Count    int       // of AlertCount
	From, To time.Time // in which there were so many; To exclusive
}

// Describe makes the action that says that an alert was raised.
func (a *Alerts) Describe(w *actionlog.SavedSearch, r *Raised) ([]byte, error) {
	alert := w.Alert
	about := map[string]any{"search": w.ID, "name": w.Name, "kind": alert.Kind, "action": map[string]any{"id": r.ID, "day": r.Day.String()}, "filter": watchedFilter(w.Filter)}
	if alert.Webhook != "" {
		about["webhook"] = alert.Webhook
	}
	var why string
	if alert.Kind == actionlog.AlertCount {
		about["more_than"], about["minutes"], about["count"], about["from"], about["to"] = alert.MoreThan, alert.Minutes, r.Count, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339)
		why = fmt.Sprintf("more than %d in %d minutes", alert.MoreThan, alert.Minutes)
		if alert.Minutes == 1 {
			why = fmt.Sprintf("more than %d in a minute", alert.MoreThan)
		}
	} else {
		about["of"], about["value"] = alert.Of, r.Label
		why = fmt.Sprintf("%s seen for the first time: %s", map[actionlog.AlertOf]string{actionlog.AlertOfActor: "an actor", actionlog.AlertOfIP: "an address", actionlog.AlertOfAPIKey: "an API key"}[alert.Of], r.Label)
	}
	st := step{code: codeAlertFired, summary: w.Name + ": " + why, details: about}
	d := st.document(w.Institution, newTestimonyID(), r.At)
	d["actor"] = map[string]any{"kind": actionlog.KindSystem, "name": "Action Log"}
	d["targets"] = []any{map[string]any{"kind": "saved_search", "id": w.ID, "name": w.Name}}
	return json.Marshal(d)
}

// Record puts what Describe made into the log. The same again changes nothing.
func (a *Alerts) Record(ctx context.Context, document []byte) error {
	return a.server.recordDocuments(ctx, document)
}
