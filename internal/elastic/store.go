// Package elastic is the store on an Elasticsearch or OpenSearch cluster: an index
// a day, an index of people, courses and classes, and one of the words of their
// names. mappings has their shapes, docs/engines.md says what was tried on which
// release.
package elastic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
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
	past      bool // see Options
	bulk      int
	refresher *refresher
	directory *directory
	retention retention
	cutters   sync.Pool  // of *cutter
	renewing  sync.Mutex // held by who makes a day anew

	mu      sync.Mutex
	blocked []string               // indices that nobody can write to because a rebuilding failed
	known   map[actionlog.Day]bool // days whose index is there
	state   daysState

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
	s := &Store{client: c, log: log, now: o.Now, prefix: o.Prefix, routing: o.Routing, past: o.Past || o.ReadOnly, bulk: o.Bulk,
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
	if !o.ReadOnly {
		if err := s.prepare(ctx); err != nil {
			return nil, err
		}
	}
	if s.retention.by = RetentionSweep; !o.Past && !o.ReadOnly {
		if err := s.chooseRetention(ctx, o.Retention); err != nil {
			return nil, err
		}
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

// dayOf is the day of an index, as it was first made or rebuilt.
func (s *Store) dayOf(index string) (actionlog.Day, bool) {
	name, ok := strings.CutPrefix(index, s.prefix)
	if again, is := strings.CutPrefix(name, rebuiltName); is {
		_, name, _ = strings.Cut(again, "-")
	}
	if !ok {
		return actionlog.Day{}, false
	}
	date, ok := strings.CutPrefix(name, dayName)
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

// templateVersion is the version of a template that is there; 0: there is none.
func (s *Store) templateVersion(ctx context.Context, name string) (int, error) {
	var there struct {
		Templates []struct {
			Template struct {
				Meta struct{ Version int } `json:"_meta"`
			} `json:"index_template"`
		} `json:"index_templates"`
	}
	err := s.client.call(ctx, http.MethodGet, "/_index_template/"+name, nil, nil, &there)
	if err != nil && !hasStatus(err, http.StatusNotFound) {
		return 0, fmt.Errorf("index template: %w", err)
	}
	if len(there.Templates) == 0 {
		return 0, nil
	}
	return there.Templates[0].Template.Meta.Version, nil
}

// install installs a template. One of a newer version of the program is not replaced, and
// nothing is written beside it: what this program leaves out could not be found later.
func (s *Store) install(ctx context.Context, name string, template any) error {
	version, err := s.templateVersion(ctx, name)
	if err != nil {
		return err
	}
	if version > mappings.Version {
		return fmt.Errorf("index template %s: is of version %d, of a newer version of this program, which knows %d", name, version, mappings.Version)
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
	if errors.As(err, &answer) && (answer.Type == "resource_already_exists_exception" || isAlias(answer)) {
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
		if tomorrow := today.Add(1); made != tomorrow && !s.past {
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
		s.unblockAll(ctx)
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

// unblockAll lets indices be written to again whose rebuilding failed, unless a day is made
// anew: it may be one of them, and is blocked again.
func (s *Store) unblockAll(ctx context.Context) {
	if !s.renewing.TryLock() {
		return // later
	}
	defer s.renewing.Unlock()
	s.mu.Lock()
	blocked := s.blocked
	s.blocked = nil
	s.mu.Unlock()
	for _, index := range blocked {
		if err := s.unblock(ctx, index); err != nil {
			s.log.Error("an index cannot be written to because its rebuilding failed", "index", index, "error", err)
			s.mu.Lock()
			s.blocked = append(s.blocked, index)
			s.mu.Unlock()
		}
	}
}

// stateEvery is how often the state of the days is read.
const stateEvery = 10 * time.Second
