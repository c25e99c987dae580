package elastic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"actionlog"
)

// lenient are the parameters of requests that name indices which may not be there.
func lenient() url.Values {
	return url.Values{"ignore_unavailable": {"true"}, "allow_no_indices": {"true"}, "expand_wildcards": {"open"}}
}

// shards is what a request did on the shards.
type shards struct {
	Total, Successful, Skipped, Failed int
	Failures                           []struct {
		Index  string
		Reason cause
	}
}

// errIncomplete: a shard took no part, and the engine calls it neither skipped nor failed.
// That is so for a moment while an index is removed.
var errIncomplete = errors.New("not all shards took part")

// whole is errIncomplete where a search left a shard out without saying so.
func (s *shards) whole() error {
	if s.Successful < s.Total && s.Failed == 0 {
		return fmt.Errorf("engine: %w (%d of %d): %w", errIncomplete, s.Successful, s.Total, actionlog.ErrUnavailable)
	}
	return nil
}

// err says why not all shards took part; an answer without them is none.
func (s *shards) err() error {
	if s.Failed == 0 && len(s.Failures) == 0 {
		return nil
	}
	why := cause{Type: "unknown"}
	index := ""
	if len(s.Failures) > 0 {
		why, index = s.Failures[0].Reason, s.Failures[0].Index
	}
	return fmt.Errorf("engine: %d of %d shards failed (%s: %s %s): %w", s.Failed, s.Total, index, why.Type, brief(why.Reason), actionlog.ErrUnavailable)
}

// daysState is what was last known of the days' indices.
type daysState struct {
	read    time.Time
	missing map[actionlog.Day]unasked
	days    int
	bytes   int64
}

// unasked is a day that cannot be asked.
type unasked struct{ index, why string }

// Bytes is the size of all days, as it was last read.
func (s *Store) Bytes() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.bytes
}

// Len is the number of days that have actions, as it was last read.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.days
}

// indexInfo is a line of _cat/indices.
type indexInfo struct {
	Index, Status, Health string
	Docs                  string `json:"docs.count"`
	Bytes                 string `json:"store.size"`
}

// damage says why an index cannot be asked; "" where it can.
func damage(i indexInfo) string {
	switch {
	case i.Status == "close":
		return "is closed"
	case i.Health == "red":
		return "has lost a shard (red)"
	}
	return ""
}

func (s *Store) listDays(ctx context.Context) ([]indexInfo, error) {
	var infos []indexInfo
	err := s.client.call(ctx, http.MethodGet, "/_cat/indices/"+s.allDays(), url.Values{"format": {"json"}, "bytes": {"b"},
		"h": {"index,status,health,docs.count,store.size"}, "expand_wildcards": {"all"}}, nil, &infos)
	if err != nil && !hasStatus(err, http.StatusNotFound) {
		return nil, unavailable(err)
	}
	return infos, nil
}

// readState finds out which days are closed or have lost a shard.
func (s *Store) readState(ctx context.Context) error {
	infos, err := s.listDays(ctx)
	if err != nil {
		return err
	}
	missing := map[actionlog.Day]unasked{}
	state := daysState{read: s.now(), missing: missing}
	for _, i := range infos {
		d, ok := s.dayOf(i.Index)
		if n, err := strconv.ParseInt(i.Bytes, 10, 64); err == nil && ok && i.Docs != "0" {
			state.days++
			state.bytes += n
		}
		if why := damage(i); ok && why != "" {
			missing[d] = unasked{i.Index, "the index " + i.Index + " " + why}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state = state
	return nil
}

// Missing says what cannot be answered from: days whose index is closed or has lost
// a shard.
func (s *Store) Missing() (list []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for d, u := range s.state.missing {
		list = append(list, "day "+d.String()+" ("+u.why+")")
	}
	slices.Sort(list)
	return list
}

// scope is what a query is asked of.
type scope struct {
	indices string // of a URL
	query   url.Values
	missing []actionlog.Day
}

// scopeOf says which indices a query covers, without the days that are missing.
func (s *Store) scopeOf(q *actionlog.Query) (scope, error) {
	sc := scope{query: lenient()}
	if s.routing {
		sc.query.Set("routing", q.Institution)
	}
	but := map[actionlog.Day]string{}
	s.mu.Lock()
	for d, u := range s.state.missing {
		if covers(q, d) {
			sc.missing, but[d] = append(sc.missing, d), u.index
		}
	}
	s.mu.Unlock()
	slices.SortFunc(sc.missing, actionlog.Day.Compare)
	if len(sc.missing) > 0 && !q.MissingDays {
		return sc, fmt.Errorf("day %s cannot be asked: %w", sc.missing[0], actionlog.ErrUnavailable)
	}
	sc.indices = s.names(q.From, q.To, but)
	return sc, nil
}

// maxNames is how many days a URL names one by one.
const maxNames = 40

// names are the indices of a time, but for those of some days: each by name, or all.
func (s *Store) names(from, to time.Time, but map[actionlog.Day]string) string {
	var names []string
	if from.IsZero() || to.IsZero() || to.Sub(from) > maxNames*24*time.Hour {
		names = append(names, s.allDays())
		for _, d := range slices.SortedFunc(maps.Keys(but), actionlog.Day.Compare) {
			names = append(names, "-"+but[d])
		}
		return strings.Join(names, ",")
	}
	for d := actionlog.DayOf(from); d.Start().Before(to); d = d.Add(1) {
		if but[d] == "" {
			names = append(names, s.dayIndex(d))
		}
	}
	return cmp.Or(strings.Join(names, ","), s.prefix+"actionlog-none")
}

func covers(q *actionlog.Query, d actionlog.Day) bool {
	return (q.From.IsZero() || q.From.Before(d.End())) && (q.To.IsZero() || d.Start().Before(q.To))
}
