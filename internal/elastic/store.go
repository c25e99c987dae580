// Package elastic is the store on an Elasticsearch or OpenSearch cluster: an index
// a day, an index of people, courses and classes, and one of the words of their
// names. mappings has their shapes, docs/engines.md says what was tried on which
// release.
package elastic

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"actionlog"
	"actionlog/mappings"
)

// Store is an actionlog.Store on a cluster.
type Store struct {
	client    *client
	log       *slog.Logger
	now       func() time.Time
	prefix    string
	settings  mappings.Settings
	routing   bool
	bulk      int
	refresher *refresher
	directory *directory
	retention retention
	cutters   sync.Pool // of *cutter

	mu    sync.Mutex
	known map[actionlog.Day]bool // days whose index is there
	state daysState

	stop context.CancelFunc
	done sync.WaitGroup
}

var _ actionlog.Store = (*Store)(nil)

// Open connects to a cluster and prepares it: templates, the directory's indices
// and the index of tomorrow.
func Open(ctx context.Context, o Options, log *slog.Logger) (*Store, error) {
	if log == nil {
		log = slog.Default()
	}
	if len(o.Addresses) == 0 {
		return nil, errors.New("engine: no address")
	}
	c, err := dial(ctx, &o)
	if err != nil {
		return nil, err
	}
	s := &Store{client: c, log: log, now: o.Now, prefix: o.Prefix, routing: o.Routing, bulk: o.Bulk,
		settings: mappings.Settings{Shards: o.Shards, Replicas: o.Replicas}, known: map[actionlog.Day]bool{}}
	if s.now == nil {
		s.now = time.Now
	}
	if s.bulk < 1 {
		s.bulk = 2
	}
	s.refresher = &refresher{client: c, every: o.RefreshEvery}
	if o.RefreshEvery == 0 {
		s.refresher.every = 500 * time.Millisecond
	}
	s.cutters.New = func() any { return newCutter() }
	s.directory = newDirectory(s)
	if err := s.prepare(ctx); err != nil {
		return nil, err
	}
	if err := s.chooseRetention(ctx, o.Retention); err != nil {
		return nil, err
	}
	log.Info("the engine is ready", "engine", c.version, "retention", s.retention.how())
	background, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.done.Go(func() { s.lookAfter(background) })
	return s, nil
}

// Close ends what runs beside the calls. Calls in progress must have ended.
func (s *Store) Close() error {
	s.stop()
	s.done.Wait()
	return nil
}

// Version is what the server says it is: "OpenSearch 3.5.0".
func (s *Store) Version() string { return s.client.version }

const dayName = "actions-"

// dayIndex is the name of a day's index.
func (s *Store) dayIndex(d actionlog.Day) string {
	return s.prefix + dayName + strings.ReplaceAll(d.String(), "-", ".")
}

func (s *Store) allDays() string { return s.prefix + dayName + "*" }

// dayOf is the day of an index.
func (s *Store) dayOf(index string) (actionlog.Day, bool) {
	date, ok := strings.CutPrefix(index, s.prefix+dayName)
	d, err := actionlog.ParseDay(strings.ReplaceAll(date, ".", "-"))
	return d, ok && err == nil
}

func (s *Store) directoryIndex() string { return s.prefix + "actionlog-directory" }
func (s *Store) wordsIndex() string     { return s.prefix + "actionlog-words" }

// prepare installs the templates and makes the directory's indices.
func (s *Store) prepare(ctx context.Context) error {
	if err := s.install(ctx, s.prefix+"actionlog-actions", mappings.Template(mappings.Actions, s.allDays(), s.settings)); err != nil {
		return err
	}
	for index, kind := range map[string]mappings.Index{s.directoryIndex(): mappings.Directory, s.wordsIndex(): mappings.Words} {
		if err := s.createIndex(ctx, index, mappings.Body(kind, mappings.Settings{Replicas: s.settings.Replicas})); err != nil {
			return err
		}
	}
	return nil
}

// install installs a template unless one of this version or a newer one is there.
func (s *Store) install(ctx context.Context, name string, template any) error {
	var there struct {
		Templates []struct {
			Template struct {
				Meta struct{ Version int } `json:"_meta"`
			} `json:"index_template"`
		} `json:"index_templates"`
	}
	err := s.client.call(ctx, http.MethodGet, "/_index_template/"+name, nil, nil, &there)
	if err != nil && !hasStatus(err, http.StatusNotFound) {
		return fmt.Errorf("index template: %w", err)
	}
	if len(there.Templates) > 0 {
		version := there.Templates[0].Template.Meta.Version
		if version > mappings.Version {
			s.log.Warn("the index template is of a newer version of the program and stays", "template", name, "version", version)
		}
		if version > mappings.Version {
			return nil
		}
	}
	if err := s.client.call(ctx, http.MethodPut, "/_index_template/"+name, nil, template, nil); err != nil {
		return fmt.Errorf("index template: %w", err)
	}
	return nil
}

// createIndex makes an index if it is not there.
func (s *Store) createIndex(ctx context.Context, index string, body any) error {
	err := s.client.call(ctx, http.MethodPut, "/"+index, nil, body, nil)
	var answer *answerError
	if errors.As(err, &answer) && answer.Type == "resource_already_exists_exception" {
		return nil
	}
	if err != nil {
		return fmt.Errorf("index %s: %w", index, err)
	}
	return nil
}

// ensureDay makes a day's index if it is not there.
func (s *Store) ensureDay(ctx context.Context, d actionlog.Day) error {
	s.mu.Lock()
	known := s.known[d]
	s.mu.Unlock()
	if known {
		return nil
	}
	if err := s.createIndex(ctx, s.dayIndex(d), nil); err != nil {
		return unavailable(err)
	}
	s.mu.Lock()
	s.known[d] = true
	s.mu.Unlock()
	return nil
}

// lookAfter makes tomorrow's index ahead and keeps an eye on the days.
func (s *Store) lookAfter(ctx context.Context) {
	tick := time.NewTicker(stateEvery)
	defer tick.Stop()
	made := actionlog.Day{}
	select { // what was just opened has other things to do
	case <-ctx.Done():
		return
	case <-time.After(time.Second):
	}
	for {
		today := actionlog.DayOf(s.now())
		if tomorrow := today.Add(1); made != tomorrow {
			err := s.ensureDay(ctx, today)
			if err == nil {
				err = s.ensureDay(ctx, tomorrow)
			}
			if err == nil {
				made = tomorrow
			} else if ctx.Err() == nil {
				s.log.Warn("the index of tomorrow was not made ahead", "error", err)
			}
		}
		if err := s.readState(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("the engine does not say how its indices are", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// stateEvery is how often the state of the days is read.
const stateEvery = 10 * time.Second

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
	missing map[actionlog.Day]string // why a day cannot be asked
	days    int
	bytes   int64
}

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
	missing := map[actionlog.Day]string{}
	state := daysState{read: s.now(), missing: missing}
	for _, i := range infos {
		d, ok := s.dayOf(i.Index)
		if n, err := strconv.ParseInt(i.Bytes, 10, 64); err == nil && ok && i.Docs != "0" {
			state.days++
			state.bytes += n
		}
		switch {
		case !ok:
		case i.Status == "close":
			missing[d] = "the index " + i.Index + " is closed"
		case i.Health == "red":
			missing[d] = "the index " + i.Index + " has lost a shard (red)"
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
	for d, why := range s.state.missing {
		list = append(list, "day "+d.String()+" ("+why+")")
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
	s.mu.Lock()
	for d := range s.state.missing {
		if covers(q, d) {
			sc.missing = append(sc.missing, d)
		}
	}
	s.mu.Unlock()
	slices.SortFunc(sc.missing, func(a, b actionlog.Day) int { return a.Start().Compare(b.Start()) })
	if len(sc.missing) > 0 && !q.MissingDays {
		return sc, fmt.Errorf("day %s cannot be asked: %w", sc.missing[0], actionlog.ErrUnavailable)
	}
	sc.indices = s.names(q.From, q.To, sc.missing)
	return sc, nil
}

// maxNames is how many days a URL names one by one.
const maxNames = 40

// names are the indices of a time, but for some days: each by name, or all.
func (s *Store) names(from, to time.Time, but []actionlog.Day) string {
	var names []string
	if from.IsZero() || to.IsZero() || to.Sub(from) > maxNames*24*time.Hour {
		names = append(names, s.allDays())
		for _, d := range but {
			names = append(names, "-"+s.dayIndex(d))
		}
		return strings.Join(names, ",")
	}
	for d := actionlog.DayOf(from); d.Start().Before(to); d = d.Add(1) {
		if !slices.Contains(but, d) {
			names = append(names, s.dayIndex(d))
		}
	}
	return cmp.Or(strings.Join(names, ","), s.prefix+"actionlog-none")
}

func covers(q *actionlog.Query, d actionlog.Day) bool {
	return (q.From.IsZero() || q.From.Before(d.End())) && (q.To.IsZero() || d.Start().Before(q.To))
}
