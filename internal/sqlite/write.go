package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"actionlog"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// writers is how many days are written at the same time.
const writers = 4

// Write implements actionlog.Writer: one synced transaction per day, then one
// for the directory.
func (s *Store) Write(ctx context.Context, items []actionlog.Item) ([]actionlog.Outcome, error) {
	outcomes := make([]actionlog.Outcome, len(items))
	for round := range actionlog.Rounds(items) {
		s.writeRound(ctx, items, round, outcomes)
	}
	if err := s.people.learn(ctx, items, outcomes); err != nil {
		return nil, s.judgePeople(err)
	}
	return outcomes, nil
}

// writeRound writes items of distinct identities, day by day.
func (s *Store) writeRound(ctx context.Context, items []actionlog.Item, round []int, outcomes []actionlog.Outcome) {
	byDay := map[actionlog.Day][]int{}
	for _, i := range round {
		d := items[i].Day()
		byDay[d] = append(byDay[d], i)
	}
	work := make(chan actionlog.Day)
	var wg sync.WaitGroup
	for range min(writers, len(byDay)) {
		wg.Go(func() {
			for d := range work {
				s.writeDay(ctx, d, items, byDay[d], outcomes)
			}
		})
	}
	for d := range byDay {
		work <- d
	}
	close(work)
	wg.Wait()
}

// writeDay writes one day's items; if the day cannot be written, all of them
// are to be retried and nothing of them is kept.
func (s *Store) writeDay(ctx context.Context, date actionlog.Day, items []actionlog.Item, indexes []int, outcomes []actionlog.Outcome) {
	d := s.day(date, true)
	d.write.Lock()
	for next := d.next(); next != nil; next = d.next() { // it was rebuilt meanwhile
		d.write.Unlock()
		d = next
		d.write.Lock()
	}
	err := s.writeLocked(d, items, indexes, outcomes)
	d.write.Unlock()
	if err == nil {
		return
	}
	err = s.judge(ctx, d, err)
	for _, i := range indexes {
		outcomes[i] = actionlog.Outcome{Kind: actionlog.OutcomeRetry, Err: err}
	}
}

func (s *Store) writeLocked(d *day, items []actionlog.Item, indexes []int, outcomes []actionlog.Outcome) (err error) {
	if err := d.writable(); err != nil {
		return err // it is made anew for the next attempt
	}
	if err := s.openWriter(d); err != nil {
		return err
	}
	d.lastUsed = time.Now()
	slices.SortFunc(indexes, func(a, b int) int { return items[a].OccurredAt.Compare(items[b].OccurredAt) })
	end, err := sqlitex.ImmediateTransaction(d.writer)
	if err != nil {
		return err
	}
	defer func() {
		end(&err)
		if err != nil {
			_ = d.closeWriter() // what it remembers may not have come to be
		}
	}()
	w := dayWriter{day: d, conn: d.writer, codec: s.codec, pool: &s.tokens, items: items, outcomes: outcomes}
	return w.write(indexes)
}

// openWriter opens the day's file, and makes it durable if it is new.
func (s *Store) openWriter(d *day) error {
	if d.writer != nil {
		return nil
	}
	s.limitWriters(d)
	_, statErr := os.Stat(d.path)
	c, err := open(d.path, daySchema, true, writerCacheKiB)
	if err != nil {
		return err
	}
	if os.IsNotExist(statErr) {
		if err := syncFolder(filepath.Dir(d.path)); err != nil {
			_ = c.Close()
			return err
		}
	}
	d.writer, d.terms = c, newTerms()
	d.mu.Lock()
	d.written = true
	d.mu.Unlock()
	return nil
}

// limitWriters closes the writer that was used longest ago, if there are too many.
func (s *Store) limitWriters(but *day) {
	open := 0
	var oldest *day
	var used time.Time
	for _, d := range s.allDays() {
		if d == but || !d.write.TryLock() {
			continue
		}
		if d.writer != nil {
			open++
			if oldest == nil || d.lastUsed.Before(used) {
				oldest, used = d, d.lastUsed
			}
		}
		d.write.Unlock()
	}
	if open >= maxWriters && oldest.write.TryLock() {
		_ = oldest.closeWriter()
		oldest.write.Unlock()
	}
}

// dayWriter writes items in one transaction.
type dayWriter struct {
	day      *day
	conn     *sqlite.Conn
	codec    *codec
	pool     *sync.Pool // of *tokens
	items    []actionlog.Item
	outcomes []actionlog.Outcome
}

// row is a new action and its place.
type row struct {
	item  int
	n     int64
	block int64
	slot  int
}

func (w *dayWriter) write(indexes []int) error {
	var rows []row
	taken := map[int64]bool{}
	for _, i := range indexes {
		item := &w.items[i]
		kind, err := w.compare(item)
		if err != nil {
			return err
		}
		w.outcomes[i] = actionlog.Outcome{Kind: kind}
		if kind != actionlog.OutcomeNew {
			continue
		}
		n, err := w.place(item, taken)
		if err != nil {
			return err
		}
		taken[n] = true
		rows = append(rows, row{item: i, n: n})
	}
	if len(rows) == 0 {
		return nil
	}
	if err := w.documents(rows); err != nil {
		return err
	}
	slices.SortFunc(rows, func(a, b row) int {
		if a.n < b.n {
			return -1
		}
		return 1
	})
	t := w.pool.Get().(*tokens)
	defer w.pool.Put(t)
	targets := 0
	for _, r := range rows {
		if err := w.insert(r, t); err != nil {
			return err
		}
		targets = max(targets, len(w.items[r.item].Action.Targets))
	}
	return w.raise("targets", targets)
}

// raise keeps the largest value of a name.
func (w *dayWriter) raise(name string, value int) error {
	return sqlitex.Execute(w.conn, "INSERT INTO most VALUES (?, ?) ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
		&sqlitex.ExecOptions{Args: []any{name, value}})
}

func identityHash(institution, id string) int64 {
	sum := sha256.Sum256([]byte(institution + "\x00" + id))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

// compare tells whether the identity is there already, and with which content.
func (w *dayWriter) compare(item *actionlog.Item) (actionlog.OutcomeKind, error) {
	stmt, err := prepare(w.conn, "SELECT id, digest, (SELECT value FROM term WHERE no = institution) FROM action WHERE identity = ?", identityHash(item.Institution, item.ID))
	if err != nil {
		return 0, err
	}
	defer stmt.Reset()
	for {
		found, err := stmt.Step()
		if err != nil || !found {
			return actionlog.OutcomeNew, err
		}
		if stmt.ColumnText(0) != item.ID || stmt.ColumnText(2) != item.Institution {
			continue
		}
		var digest [32]byte
		stmt.ColumnBytes(1, digest[:])
		if bytes.Equal(digest[:], item.Digest[:]) {
			return actionlog.OutcomeRepeat, nil
		}
		return actionlog.OutcomeCollision, nil
	}
}

// place finds the row number of a new item.
func (w *dayWriter) place(item *actionlog.Item, taken map[int64]bool) (int64, error) {
	ms := item.OccurredAt.Sub(item.Day().Start()).Milliseconds()
	const mask = 1<<tieBits - 1
	tie := identityHash(item.Institution, item.ID) & mask
	stmt, err := prepare(w.conn, "SELECT 1 FROM action WHERE n = ?")
	if err != nil {
		return 0, err
	}
	for ; ; tie = (tie + 1) & mask {
		n := ms<<tieBits | tie
		stmt.BindInt64(1, n)
		found, err := stmt.Step()
		if e := stmt.Reset(); err == nil {
			err = e
		}
		if err != nil {
			return 0, err
		}
		if !found && !taken[n] {
			return n, nil
		}
	}
}

// documents writes the documents in blocks of one institution.
func (w *dayWriter) documents(rows []row) error {
	order := make([]int, len(rows))
	for i := range order {
		order[i] = i
	}
	institution := func(i int) string { return w.items[rows[order[i]].item].Institution }
	slices.SortStableFunc(order, func(a, b int) int {
		return bytes.Compare([]byte(w.items[rows[a].item].Institution), []byte(w.items[rows[b].item].Institution))
	})
	for start := 0; start < len(order); {
		end, size := start, 0
		var documents [][]byte
		for end < len(order) && len(documents) < blockDocuments && size < 256<<10 && institution(end) == institution(start) {
			d := w.items[rows[order[end]].item].Document
			documents = append(documents, d)
			size += len(d)
			end++
		}
		if err := run(w.conn, "INSERT INTO block(data) VALUES (?)", w.codec.pack(documents)); err != nil {
			return err
		}
		no := w.conn.LastInsertRowID()
		for slot := range documents {
			rows[order[start+slot]].block, rows[order[start+slot]].slot = no, slot
		}
		start = end
	}
	return nil
}

// run executes a statement that returns nothing.
const insertAction = `INSERT INTO action(n, identity, id, digest, block, slot, received, sequence, staff, warnings,
  institution, stream, category, action, outcome, actor_kind, channel, request_method, response_code, request_content_type, ip, actor, course, class)
  VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`

func (w *dayWriter) insert(r row, t *tokens) error {
	item := &w.items[r.item]
	var numbers [14]int64
	for i, v := range columns(item) {
		no, err := w.day.terms.number(w.conn, i, v, item.OccurredAt.UnixMilli())
		if err != nil {
			return err
		}
		numbers[i] = no
	}
	stmt, err := prepare(w.conn, insertAction, r.n, identityHash(item.Institution, item.ID), item.ID, item.Digest[:],
		r.block, r.slot, item.ReceivedAt.UnixNano(), int64(item.Position.Sequence), item.Staff)
	if err != nil {
		return err
	}
	if err := bindWarnings(stmt, 10, item.Warnings); err != nil {
		return err
	}
	for i, no := range numbers {
		stmt.BindInt64(11+i, no)
	}
	if err := step(stmt); err != nil {
		return err
	}
	t.of(item)
	return run(w.conn, "INSERT INTO words(rowid, t) VALUES (?, ?)", r.n, string(t.text))
}

func bindWarnings(stmt *sqlite.Stmt, param int, warnings []string) error {
	if len(warnings) == 0 {
		stmt.BindNull(param)
		return nil
	}
	text, err := json.Marshal(warnings)
	if err != nil {
		return err
	}
	stmt.BindBytes(param, text)
	return nil
}
