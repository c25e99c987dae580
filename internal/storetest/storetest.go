package storetest

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// Run checks that a store keeps the contract of actionlog.Store: all cases, and
// random programs (see Programs). open returns an empty store that nobody else
// uses and whose closing it leaves to t.Cleanup; it is called once for each
// case. The store must keep days of any age.
func Run(t *testing.T, open func(t *testing.T) actionlog.Store) {
	Cases(t, open)
	t.Run("programs", func(t *testing.T) { Programs(t, everyProgram, open) })
}

// Cases are all cases of Run.
func Cases(t *testing.T, open func(t *testing.T) actionlog.Store) {
	groups := [][]testCase{
		writeCases(), recordCases(), pageCases(), timeCases(),
		textFilterCases(), codeFilterCases(), urlFilterCases(), wordFilterCases(), ipFilterCases(),
		personFilterCases(), titledFilterCases(), staffCases(), queryCases(), scopeCases(),
		countCases(), histogramCases(), facetCases(), scanCases(),
		directoryCases(), keeperCases(), concurrencyCases(), emptyCases(),
	}
	for _, group := range groups {
		for _, test := range group {
			t.Run(test.name, func(t *testing.T) {
				test.run(newCheck(t, test.rule, open(t)))
			})
		}
	}
}

// testCase checks one sentence of the contract.
type testCase struct {
	name string
	rule string // the sentence
	run  func(c *check)
}

// check is a case at work on its store.
type check struct {
	*testing.T
	rule  string
	store actionlog.Store
	sent  []actionlog.Item // all that write sent
	next  uint64           // the next stream sequence
}

func newCheck(t *testing.T, rule string, s actionlog.Store) *check {
	return &check{T: t, rule: rule, store: s, next: 1}
}

// Errorf reports a failure beside the sentence of the contract.
func (c *check) Errorf(format string, args ...any) {
	c.Helper()
	c.T.Errorf(format+"\n    the contract: %s", append(args, c.rule)...)
}

// Fatalf is Errorf, and ends the case.
func (c *check) Fatalf(format string, args ...any) {
	c.Helper()
	c.T.Fatalf(format+"\n    the contract: %s", append(args, c.rule)...)
}

// group runs a sub-test on the same store.
func (c *check) group(name string, run func(c *check)) {
	c.T.Run(name, func(t *testing.T) {
		sub := *c
		sub.T = t
		run(&sub)
	})
}

// item reads a document, as the indexer does.
func (c *check) item(document string) actionlog.Item {
	c.Helper()
	item, err := actionlog.Parse([]byte(document), actionlog.NewScrubber())
	if err != nil {
		c.T.Fatalf("the case has a wrong document: %v\n%s", err, document)
	}
	item.Position = actionlog.Position{Stream: "s1", Sequence: c.next}
	item.ReceivedAt = received.Add(time.Duration(c.next) * 1_000_003 * time.Nanosecond)
	c.next++
	return item
}

func (c *check) items(documents ...string) (items []actionlog.Item) {
	c.Helper()
	for _, d := range documents {
		items = append(items, c.item(d))
	}
	return items
}

// write writes documents in one batch, all of which must be new.
func (c *check) write(documents ...string) []actionlog.Item {
	c.Helper()
	items := c.items(documents...)
	c.writeItems(items)
	return items
}

func (c *check) writeItems(items []actionlog.Item) {
	c.Helper()
	want := make([]actionlog.OutcomeKind, len(items))
	for i := range want {
		want[i] = actionlog.OutcomeNew
	}
	c.outcomes(items, want...)
	c.sent = append(c.sent, items...)
}

// outcomes writes items in one batch and compares what became of each.
func (c *check) outcomes(items []actionlog.Item, want ...actionlog.OutcomeKind) {
	c.Helper()
	got, err := c.store.Write(context.Background(), items)
	if err != nil {
		c.Fatalf("Write: %v", err)
	}
	if len(got) != len(want) {
		c.Fatalf("Write returned %d outcomes for %d items", len(got), len(items))
	}
	for i, o := range got {
		if o.Kind != want[i] || o.Err != nil {
			c.Fatalf("item %d (%s): outcome %s %v, want %s", i, items[i].ID, kindName(o.Kind), o.Err, kindName(want[i]))
		}
	}
}

func kindName(k actionlog.OutcomeKind) string {
	return []string{"none", "new", "repeat", "collision", "retry", "refused"}[k]
}

// finds compares the ids that a query finds, in any order, through Page, Scan
// and Count.
func (c *check) finds(q actionlog.Query, want ...string) {
	c.Helper()
	records, err := walk(c.store, q, actionlog.NewestFirst, 100)
	if err != nil {
		c.Fatalf("Page of %s: %v", describe(q), err)
	}
	got := idsOf(records)
	if missing, extra := difference(want, got); len(missing)+len(extra) > 0 {
		c.Errorf("%s\n    leaves out %s\n    finds besides %s", describe(q), brief(missing), brief(extra))
		return
	}
	scanned, err := scan(c.store, q, actionlog.OldestFirst)
	if err != nil {
		c.Fatalf("Scan of %s: %v", describe(q), err)
	}
	slices.Reverse(scanned)
	if ids := idsOf(scanned); !slices.Equal(ids, got) {
		c.Errorf("%s\n    pages, newest first:           %s\n    scan, oldest first, reversed:  %s", describe(q), brief(got), brief(ids))
	}
	n, exact, err := c.store.Count(context.Background(), q, 0)
	if err != nil || !exact || n != int64(len(want)) {
		c.Errorf("Count of %s = %d, exact %v, %v; want %d", describe(q), n, exact, err, len(want))
	}
}

// clause compares what a clause finds, and that its negation finds all the
// others that were sent. want is ids, separated by spaces.
func (c *check) clause(clause actionlog.Clause, want string) {
	c.Helper()
	found := strings.Fields(want)
	c.finds(where(clause), found...)
	clause.Not = true
	var others []string
	for i := range c.sent {
		if id := c.sent[i].ID; !slices.Contains(found, id) {
			others = append(others, id)
		}
	}
	c.finds(where(clause), others...)
}

// row is a clause and the ids that it finds, separated by spaces.
type row struct {
	name   string
	clause actionlog.Clause
	want   string
}

// filterCase makes a case of a table of clauses on the same documents.
func filterCase(name, rule string, documents []string, rows []row) testCase {
	return testCase{name, rule, func(c *check) {
		c.write(documents...)
		for _, r := range rows {
			c.group(r.name, func(c *check) { c.clause(r.clause, r.want) })
		}
	}}
}
