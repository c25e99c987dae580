package elastic

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"actionlog"
	"actionlog/mappings"
)

// A day is made anew in an index of another name, which becomes the day by an alias: the
// engine adds it and removes the old index in one step. The names of the days' indices
// are those of the aliases from then on.

// rebuiltName begins the name of an index that was made anew, behind the prefix; a random
// text and the name of the day follow. It is no name that the days' pattern matches.
const rebuiltName = "rebuilt-"

// isAlias tells that an index was not made because an alias has its name.
func isAlias(a *answerError) bool {
	return a.Type == "invalid_index_name_exception" && strings.Contains(a.Reason, "alias")
}

// Remove implements actionlog.Keeper.
func (s *Store) Remove(ctx context.Context, institution string, d actionlog.Day) error {
	err := s.remove(ctx, institution, d)
	if err != nil {
		return fmt.Errorf("remove %s of %s: %w", institution, d, err)
	}
	return nil
}

func (s *Store) remove(ctx context.Context, institution string, d actionlog.Day) error {
	there, err := s.indicesOf(ctx, d)
	if err != nil {
		return err
	}
	for _, i := range there {
		if why := damage(i); why != "" {
			return fmt.Errorf("the index %s %s: %w", i.Index, why, actionlog.ErrUnavailable)
		}
		if err := s.refresher.refresh(ctx, []string{i.Index}); err != nil {
			return err
		}
		if err := s.deleteOf(ctx, i.Index, institution); err != nil {
			return unavailable(err)
		}
	}
	return s.directory.forget(ctx, d, institution)
}

// deletePart is how many actions one request deletes.
const deletePart = 1000

// deleteOf deletes an institution's actions from an index, part by part until there are
// none. (The engines' own delete by query is a module that not every server has.)
func (s *Store) deleteOf(ctx context.Context, index, institution string) error {
	q := lenient()
	if s.routing {
		q.Set("routing", institution)
	}
	body := obj{"query": obj{"bool": obj{"filter": list{obj{"term": obj{"institution": institution}}}}}, "size": deletePart, "sort": list{"_doc"}, "_source": false}
	for {
		a, err := s.client.search(ctx, index, q, body)
		if err != nil || len(a.Hits.Hits) == 0 {
			return err
		}
		e := newEncoder()
		for _, h := range a.Hits.Hits {
			op := bulkOp{index: index, id: h.ID}
			if s.routing {
				op.routing = institution
			}
			if err := e.line(obj{"delete": op.meta()}); err != nil {
				return err
			}
		}
		results, err := s.sendBulk(ctx, e.buffer.Bytes(), len(a.Hits.Hits))
		if err != nil {
			return err
		}
		for i := range results {
			if status := results[i].Status; status != http.StatusOK && status != http.StatusNotFound {
				return fmt.Errorf("not all is deleted: %w", judge(&results[i]).Err)
			}
		}
		if err := s.refresher.refresh(ctx, []string{index}); err != nil {
			return err
		}
	}
}

// Rebuild implements actionlog.Keeper.
func (s *Store) Rebuild(ctx context.Context, d actionlog.Day, fill func(w actionlog.Writer) error) (err error) {
	s.renewing.Lock() // one at a time
	defer s.renewing.Unlock()
	r := &renewal{store: s, day: d, index: s.prefix + rebuiltName + strings.ToLower(rand.Text()) + "-" + strings.TrimPrefix(s.dayIndex(d), s.prefix)}
	if err = r.run(ctx, fill); err != nil {
		return fmt.Errorf("rebuild %s: %w", d, errors.Join(err, r.abandon()))
	}
	return nil
}

// renewal is a day that is made anew.
type renewal struct {
	store   *Store
	day     actionlog.Day
	index   string   // the new one
	blocked []string // old ones, while nobody may write to them
	damaged []string // indices of the day that could not be read when it was begun
	sent    bool     // the exchange was asked for: the new index may be the day
}

func (r *renewal) run(ctx context.Context, fill func(w actionlog.Writer) error) error {
	s := r.store
	epoch, err := s.directory.readEpoch(ctx)
	if err == nil {
		err = r.lookAtOld(ctx)
	}
	if err == nil {
		err = r.sweep(ctx)
	}
	if err == nil { // whoever rebuilt it before may have been killed
		err = s.unblock(ctx, s.dayIndex(r.day))
	}
	if err == nil {
		err = r.blockDamaged(ctx)
	}
	if err == nil {
		err = s.createIndex(ctx, r.index, mappings.Body(mappings.Actions, s.settings))
	}
	if err == nil {
		err = fill(r)
	}
	for attempt := 1; err == nil; attempt++ {
		if err = r.takeOver(ctx); attempt == takeOvers || !cameMeanwhile(err) {
			break
		}
		err = nil
	}
	if err != nil {
		return err
	}
	if now, err := s.directory.readEpoch(ctx); err != nil || now != epoch {
		return errors.Join(err, r.learn(ctx))
	}
	return nil
}

// takeOvers is how often a day is taken over at most: an index of it may be made while none
// is there, once.
const takeOvers = 3

// cameMeanwhile tells that the day has an index that it had not when it was looked at:
// whoever writes to a day that is not there makes one.
func cameMeanwhile(err error) bool {
	var a *answerError
	return errors.As(err, &a) && a.status == http.StatusBadRequest && a.Type == "invalid_alias_name_exception"
}

// takeOver copies what is there, and makes the new index the day.
func (r *renewal) takeOver(ctx context.Context) error {
	s := r.store
	old, err := s.indicesOf(ctx, r.day)
	if err != nil {
		return err
	}
	for _, i := range old {
		if why := damage(i); why != "" {
			if !slices.Contains(r.damaged, i.Index) { // it has what is in no archive yet: again, after that was sealed
				return fmt.Errorf("engine: the index %s %s meanwhile: %w", i.Index, why, actionlog.ErrUnavailable)
			}
			s.log.Warn("of a day that is rebuilt, nothing of what is there can be taken over", "day", r.day, "why", "the index "+i.Index+" "+why)
			continue
		}
		// What is there is copied while others go on writing, and what they wrote
		// meanwhile while they wait.
		if err := r.copy(ctx, i.Index); err != nil {
			return err
		}
		if err := r.block(ctx, i.Index); err != nil {
			return err
		}
		if err := r.copy(ctx, i.Index); err != nil {
			return err
		}
	}
	if err := s.refresher.refresh(ctx, []string{r.index}); err != nil {
		return err
	}
	return r.exchange(ctx, old)
}

// exchange makes the new index the day.
func (r *renewal) exchange(ctx context.Context, old []indexInfo) error {
	s := r.store
	actions := list{obj{"add": obj{"index": r.index, "alias": s.dayIndex(r.day)}}}
	for _, i := range old {
		actions = append(actions, obj{"remove_index": obj{"index": i.Index}})
	}
	r.sent = true
	err := s.client.call(ctx, http.MethodPost, "/_aliases", nil, obj{"actions": actions}, nil)
	if err != nil { // the answer may be lost, and what was asked for done
		is, e := r.isTheDay()
		if e != nil || !is {
			return unavailable(errors.Join(err, e))
		}
	}
	r.blocked, r.index = nil, s.dayIndex(r.day)
	return s.readState(ctx)
}

// isTheDay tells whether the new index has the alias.
func (r *renewal) isTheDay() (bool, error) {
	ctx, cancel := context.WithTimeout(context.Background(), bulkWithin)
	defer cancel()
	var found map[string]struct{ Aliases map[string]any }
	err := r.store.client.call(ctx, http.MethodGet, "/"+r.index+"/_alias", nil, nil, &found)
	return len(found[r.index].Aliases) > 0, err
}

func (r *renewal) drop(ctx context.Context, index string) error {
	err := r.store.client.call(ctx, http.MethodDelete, "/"+index, nil, nil, nil)
	if hasStatus(err, http.StatusNotFound) {
		return nil
	}
	return err
}

// sweep removes what whoever rebuilt the day before did not end.
func (r *renewal) sweep(ctx context.Context) error {
	s := r.store
	pattern := s.prefix + rebuiltName + "*-" + strings.TrimPrefix(s.dayIndex(r.day), s.prefix)
	var found map[string]struct{ Aliases map[string]any }
	err := s.client.call(ctx, http.MethodGet, "/"+pattern+"/_alias", lenient(), nil, &found)
	if err != nil && !hasStatus(err, http.StatusNotFound) {
		return unavailable(err)
	}
	for index, about := range found {
		if len(about.Aliases) > 0 {
			continue
		}
		if err := r.drop(ctx, index); err != nil {
			return unavailable(err)
		}
	}
	return nil
}

// Write implements actionlog.Writer, for the new index.
func (r *renewal) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	s, touched := r.store, &indexSet{}
	outcomes, err := r.write(ctx, items, touched)
	if err != nil {
		return nil, err
	}
	if err := s.directory.learn(ctx, items, outcomes, touched); err != nil {
		return nil, err
	}
	return outcomes, s.refresher.visible(ctx, touched.names())
}

func (r *renewal) write(ctx context.Context, items []actionlog.Item, touched *indexSet) ([]actionlog.Outcome, error) {
	outcomes := make([]actionlog.Outcome, len(items))
	for round := range actionlog.Rounds(items) {
		var own []int
		for _, i := range round {
			if items[i].Day() == r.day {
				own = append(own, i)
				continue
			}
			outcomes[i] = actionlog.Outcome{Kind: actionlog.OutcomeRefused, Err: fmt.Errorf("it is of %s, and %s is rebuilt", items[i].Day(), r.day)}
		}
		if err := r.store.writeRound(ctx, items, own, outcomes, touched, func(actionlog.Day) (string, error) { return r.index, nil }); err != nil {
			return nil, err
		}
	}
	return outcomes, nil
}

// copy copies what the new index has not.
func (r *renewal) copy(ctx context.Context, from string) error {
	return r.each(ctx, from, func(records []actionlog.Record) error {
		there, err := r.has(ctx, records)
		if err != nil {
			return err
		}
		var items []actionlog.Item
		for i := range records {
			if there[i] {
				continue
			}
			item, err := records[i].Item()
			if err != nil {
				return err
			}
			items = append(items, item)
		}
		outcomes, err := r.write(ctx, items, &indexSet{})
		for i := range outcomes {
			if k := outcomes[i].Kind; k != actionlog.OutcomeNew && k != actionlog.OutcomeRepeat && err == nil {
				err = fmt.Errorf("action %s of %s is not copied: %w", items[i].ID, items[i].Institution, outcomes[i].Err)
			}
		}
		return err
	})
}

// learn learns whom and what the day names once more: days were dropped meanwhile, and
// with them those who are named by what could not be found yet.
func (r *renewal) learn(ctx context.Context) error {
	return r.each(ctx, r.index, func(records []actionlog.Record) error {
		outcomes := make([]actionlog.Outcome, len(records))
		items := make([]actionlog.Item, len(records))
		for i := range records {
			var err error
			if items[i], err = records[i].Item(); err != nil {
				return err
			}
			outcomes[i].Kind = actionlog.OutcomeRepeat
		}
		touched := &indexSet{}
		err := r.store.directory.learn(ctx, items, outcomes, touched)
		return errors.Join(err, r.store.refresher.visible(ctx, touched.names()))
	})
}

// each reads all of an index, in parts.
func (r *renewal) each(ctx context.Context, index string, part func([]actionlog.Record) error) error {
	s := r.store
	if err := s.refresher.refresh(ctx, []string{index}); err != nil {
		return err
	}
	var records []actionlog.Record
	var failed error
	flush := func() bool {
		failed = part(records)
		records = records[:0]
		return failed == nil
	}
	body := obj{"query": obj{"match_all": obj{}}, "sort": list{"_doc"}, "size": scanPage}
	_, err := s.scanDay(ctx, scope{indices: index}, body, func(d *stored) bool {
		records = append(records, d.record())
		return len(records) < scanPage || flush()
	})
	if err == nil && failed == nil && len(records) > 0 {
		flush()
	}
	return errors.Join(err, failed)
}

// has tells which of the records the new index has.
func (r *renewal) has(ctx context.Context, records []actionlog.Record) ([]bool, error) {
	var docs list
	for i := range records {
		op := bulkOp{index: r.index, id: docID(records[i].Institution, records[i].ID)}
		if r.store.routing {
			op.routing = records[i].Institution
		}
		d := op.meta()
		d["_source"] = false
		docs = append(docs, d)
	}
	var answer struct{ Docs []struct{ Found bool } }
	if err := r.store.client.call(ctx, http.MethodPost, "/_mget", nil, obj{"docs": docs}, &answer); err != nil {
		return nil, unavailable(err)
	}
	if len(answer.Docs) != len(records) {
		return nil, fmt.Errorf("engine: %d answers about %d documents: %w", len(answer.Docs), len(records), actionlog.ErrUnavailable)
	}
	there := make([]bool, len(records))
	for i, d := range answer.Docs {
		there[i] = d.Found
	}
	return there, nil
}
