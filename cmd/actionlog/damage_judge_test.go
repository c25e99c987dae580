package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// question is something that a store can be asked. The answer is lines, those of actions
// beginning with their day; missing are the days that the answer says it lacks.
type question struct {
	name string
	of   bool // the damaged day: an error is right only there
	ask  func(ctx context.Context, s actionlog.Store) (lines []string, missing []actionlog.Day, err error)
}

// damageJudge knows what a store that is whole answers.
type damageJudge struct {
	items     []actionlog.Item
	questions []question
	right     [][]string
}

func newDamageJudge(t *testing.T, model actionlog.Store, items []actionlog.Item) *damageJudge {
	t.Helper()
	j := &damageJudge{items: items, questions: damageQuestions(items)}
	for _, q := range j.questions {
		lines, _, err := q.ask(t.Context(), model)
		if err != nil || len(lines) == 0 {
			t.Fatalf("%s: the model answers %d lines, %v", q.name, len(lines), err)
		}
		j.right = append(j.right, lines)
	}
	return j
}

// damaged copies a store, damages the file of the day, and asks everything twice, and
// writes in between; whether something was noticed.
func (j *damageJudge) damaged(t *testing.T, whole, name string, damage func(data []byte) []byte) bool {
	t.Helper()
	dir := filepath.Join(t.TempDir(), name)
	if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "actions-"+damagedDay.Start().Format("2006.01.02")+"*.sqlite"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the files of the day are %q: %v", files, err)
	}
	data, err := os.ReadFile(files[0])
	if err == nil {
		err = os.WriteFile(files[0], damage(data), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	s := openStore(t, dir)
	answered := j.ask(t, s)
	noticed := answered < len(j.questions) || j.isSetAside(t, s)
	if !j.isSetAside(t, s) {
		j.writeAgain(t, s)
		answered = j.ask(t, s)
	}
	if err := s.Close(); err != nil && !noticed {
		t.Errorf("%s: closing: %v", name, err)
	}
	return noticed || answered < len(j.questions)
}

func (j *damageJudge) isSetAside(t *testing.T, s actionlog.Store) bool {
	t.Helper()
	days, err := s.Days(t.Context())
	if err != nil {
		return true // it says that it does not know
	}
	for _, d := range days {
		if d.Day != damagedDay {
			continue
		}
		if d.Damage == "" && d.Actions != int64(len(j.ofDay())) {
			t.Errorf("the day is said to have %d actions, and has %d", d.Actions, len(j.ofDay()))
		}
		return d.Damage != ""
	}
	t.Error("the day is no day of the store any more, and no damaged one")
	return true
}

func (j *damageJudge) ofDay() (items []actionlog.Item) {
	for _, item := range j.items {
		if item.Day() == damagedDay {
			items = append(items, item)
		}
	}
	return items
}

// writeAgain writes what is there: each is a repeat, or is to be written later, but never
// new where the day is not set aside, and no collision.
func (j *damageJudge) writeAgain(t *testing.T, s actionlog.Store) {
	t.Helper()
	outcomes, err := s.Write(t.Context(), j.items)
	if err != nil || j.isSetAside(t, s) {
		return
	}
	for i, o := range outcomes {
		if o.Kind != actionlog.OutcomeRepeat && o.Kind != actionlog.OutcomeRetry {
			t.Errorf("written again, %s of %s is %v", j.items[i].ID, j.items[i].Day(), o)
			return
		}
	}
}

// ask asks everything and returns how many answers were whole; one that is neither right
// nor says that it is not, fails the test.
func (j *damageJudge) ask(t *testing.T, s actionlog.Store) (answered int) {
	t.Helper()
	for i, q := range j.questions {
		got, missing, err := q.ask(t.Context(), s)
		want := j.right[i]
		switch {
		case err != nil:
			if !q.of || !errors.Is(err, actionlog.ErrUnavailable) || !strings.Contains(err.Error(), damagedDay.String()) {
				t.Errorf("%s: the error does not name the damage: %v", q.name, err)
			}
			want = want[:min(len(got), len(want))] // a scan yields what comes before
		case len(missing) > 0:
			if !q.of || len(missing) != 1 || missing[0] != damagedDay {
				t.Errorf("%s: missing are %v", q.name, missing)
			}
			got, want = j.without(t, q.name, got, want), j.without(t, q.name, want, want)
		default:
			answered++
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %d lines, and not %d%s", q.name, len(got), len(want), firstDifference(got, want))
		}
	}
	return answered
}

func firstDifference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("; the %d. is\n%.300s\nand not\n%.300s", i, got[i], want[i])
		}
	}
	return ""
}

// without are the lines that are not of the damaged day; those that are, were there.
func (j *damageJudge) without(t *testing.T, name string, lines, right []string) (rest []string) {
	t.Helper()
	for _, line := range lines {
		if !strings.HasPrefix(line, damagedDay.String()) {
			rest = append(rest, line)
		} else if !slices.Contains(right, line) {
			t.Errorf("%s: invented or changed: %.300s", name, line)
		}
	}
	return rest
}

func lineOf(r *actionlog.Record) string {
	return fmt.Sprint(r.Day(), r.ID, r.Institution, r.Position, r.ReceivedAt.UTC().Format(time.RFC3339Nano), r.OccurredAt.UTC().Format(time.RFC3339Nano), r.Staff, r.Warnings, string(r.Document))
}

// damageQuestions are questions about both days, and about the whole one alone.
func damageQuestions(items []actionlog.Item) (all []question) {
	uni := actionlog.Query{Institution: "uni"}
	person, words, course, later := uni, uni, uni, uni
	person.Clauses = []actionlog.Clause{{Field: actionlog.FieldActor, Values: []actionlog.Value{{Person: actionlog.PersonMatch{ID: "u7"}}}}}
	words.Clauses = []actionlog.Clause{{Field: actionlog.FieldAny, Values: []actionlog.Value{{Words: []string{"ann", "5"}}}}}
	course.Clauses = []actionlog.Clause{{Field: actionlog.FieldCategory, Values: []actionlog.Value{{Text: "course"}}, Not: true}}
	later.From = damagedDay.End()
	for name, q := range map[string]actionlog.Query{"all": uni, "a person": person, "words": words, "not a category": course, "the whole day": later} {
		of := name != "the whole day"
		all = append(all, listQuestions(name, of, q)...)
		all = append(all, countQuestions(name, of, q)...)
	}
	slices.SortStableFunc(all, func(a, b question) int { return strings.Compare(a.name, b.name) })
	for i := 0; i < len(items); i += 53 {
		item := &items[i]
		all = append(all, question{"get " + item.ID, item.Day() == damagedDay, func(ctx context.Context, s actionlog.Store) (lines []string, _ []actionlog.Day, err error) {
			records, err := s.Get(ctx, item.Institution, item.ID, item.Day())
			for i := range records {
				lines = append(lines, lineOf(&records[i]))
			}
			return lines, nil, err
		}})
	}
	return append(all, question{"positions", true, func(ctx context.Context, s actionlog.Store) (lines []string, _ []actionlog.Day, err error) {
		for p, err := range s.Positions(ctx, damagedDay) {
			if err != nil {
				return nil, nil, err
			}
			lines = append(lines, fmt.Sprint(p.Institution, p.Position))
		}
		slices.Sort(lines)
		return lines, nil, nil
	}})
}

func listQuestions(name string, of bool, q actionlog.Query) (all []question) {
	for _, order := range []actionlog.Order{actionlog.NewestFirst, actionlog.OldestFirst} {
		all = append(all, question{fmt.Sprint("scan of ", name, ", order ", order), of, func(ctx context.Context, s actionlog.Store) (lines []string, _ []actionlog.Day, err error) {
			for r, err := range s.Scan(ctx, q, order) {
				if err != nil {
					return lines, nil, err
				}
				lines = append(lines, lineOf(&r))
			}
			return lines, nil, nil
		}})
		for _, missing := range []bool{false, true} {
			q := q
			q.MissingDays = missing
			all = append(all, question{fmt.Sprint("pages of ", name, ", order ", order, ", without days ", missing), of, func(ctx context.Context, s actionlog.Store) ([]string, []actionlog.Day, error) {
				return pages(ctx, s, q, order)
			}})
		}
	}
	return all
}

// pages walks all pages.
func pages(ctx context.Context, s actionlog.Store, q actionlog.Query, order actionlog.Order) (lines []string, missing []actionlog.Day, err error) {
	for after := actionlog.Mark(""); ; {
		p, err := s.Page(ctx, q, order, after, 300)
		if err != nil {
			return lines, nil, err
		}
		for i := range p.Records {
			lines = append(lines, lineOf(&p.Records[i]))
		}
		if len(p.MissingDays) > 0 {
			missing = p.MissingDays
		}
		if after = p.Next; after == "" {
			return lines, missing, nil
		}
	}
}

func countQuestions(name string, of bool, q actionlog.Query) []question {
	one := func(what string, ask func(ctx context.Context, s actionlog.Store) (any, error)) question {
		return question{what + " of " + name, of, func(ctx context.Context, s actionlog.Store) ([]string, []actionlog.Day, error) {
			answer, err := ask(ctx, s)
			if err != nil {
				return nil, nil, err
			}
			return []string{fmt.Sprint(answer)}, nil, nil
		}}
	}
	start := damagedDay.Start()
	return []question{
		one("count", func(ctx context.Context, s actionlog.Store) (any, error) {
			n, exact, err := s.Count(ctx, q, 0)
			return fmt.Sprint(n, exact), err
		}),
		one("histogram", func(ctx context.Context, s actionlog.Store) (any, error) {
			return s.Histogram(ctx, q, []time.Time{start, start.Add(7 * time.Hour), start.Add(20 * time.Hour), start.Add(40 * time.Hour)}, actionlog.FieldCategory)
		}),
		one("facet of actions", func(ctx context.Context, s actionlog.Store) (any, error) {
			return s.Facet(ctx, q, actionlog.FieldAction, 5)
		}),
		one("facet of addresses", func(ctx context.Context, s actionlog.Store) (any, error) {
			return s.Facet(ctx, q, actionlog.FieldIP, 3)
		}),
		one("facet of actors", func(ctx context.Context, s actionlog.Store) (any, error) {
			return s.Facet(ctx, q, actionlog.FieldActor, 5)
		}),
	}
}
