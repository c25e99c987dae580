package sqlite

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"actionlog"

	"github.com/klauspost/compress/zstd"
	"zombiezen.com/go/sqlite"
)

// Until version 2 a day's file had a row for each action and a full-text table of its words. Such a day is made anew, in a
// file beside its own, when the store is opened; a day that was begun and not ended begins again.

// rowsVersion is the version of a file with rows.
const rowsVersion = 2

// selectRows is what is kept of a file with rows, in the order of time.
const selectRows = `SELECT a.id, i.value, a.block, a.slot, a.received, s.value, a.sequence, a.warnings
  FROM action a JOIN term i ON i.no = a.institution LEFT JOIN term s ON s.no = a.stream ORDER BY a.n`

// convert makes a day of rows one of segments. A damaged one is set aside.
func (s *Store) convert(ctx context.Context, d *day) error {
	version, err := versionOf(d.path)
	if err != nil || version != rowsVersion {
		return nil // whoever reads it says what is wrong with it
	}
	s.log.Info("a day's file is of an earlier version, and is made anew", "day", d.date, "bytes", fileSize(d.path)+fileSize(d.path+"-wal"))
	n, err := s.convertDay(ctx, d)
	if corrupt(err) || errors.Is(err, errPiece) {
		_ = s.judge(ctx, d, err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("day %s: %w", d.date, err)
	}
	s.log.Info("a day's file was made anew", "day", d.date, "actions", n)
	return nil
}

func versionOf(path string) (int64, error) {
	c, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	return number(c, "PRAGMA user_version")
}

func (s *Store) convertDay(ctx context.Context, old *day) (n int, err error) {
	r := s.newRenewal(old.date, nil)
	defer r.giveUp(&err)
	if n, err = r.copyRows(ctx, old.path); err != nil {
		return n, err
	}
	if err := s.compactor.compact(ctx, r.to, true); err != nil {
		return n, err
	}
	fresh, err := r.install()
	if err != nil {
		return n, err
	}
	s.mu.Lock()
	s.days.set(old.date, fresh)
	s.mu.Unlock()
	return n, removeFiles(old.path)
}

// convertBatch is how many actions become a segment at first.
const convertBatch = 4096

// copyRows writes all rows of a file into the new one.
func (r *renewal) copyRows(ctx context.Context, path string) (n int, err error) {
	from, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return 0, err
	}
	defer from.Close()
	blocks, err := newRowBlocks(from)
	if err != nil {
		return 0, err
	}
	defer blocks.decoder.Close()
	if err := r.begin(); err != nil {
		return 0, err
	}
	stmt, err := prepare(from, selectRows)
	if err != nil {
		return 0, err
	}
	defer stmt.Reset()
	all := batch{most: convertBatch, take: r.put}
	for {
		more, err := stmt.Step()
		if err == nil && !more {
			return n, errors.Join(all.flush(), r.holds(n))
		}
		var item actionlog.Item
		if err == nil {
			item, err = blocks.item(stmt)
		}
		if err == nil {
			n++
			err = all.add(item)
		}
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return n, err
		}
	}
}

// holds tells whether the new file has so many actions.
func (r *renewal) holds(n int) error {
	rows := 0
	for _, h := range r.to.current() {
		rows += h.Rows
	}
	if rows != n {
		return fmt.Errorf("%d of %d actions were taken over", rows, n)
	}
	return nil
}

// rowBlocks reads the documents of a file with rows.
type rowBlocks struct {
	conn    *sqlite.Conn
	decoder *zstd.Decoder
	kept    map[int64][][]byte
	bytes   int // of kept
}

func newRowBlocks(c *sqlite.Conn) (*rowBlocks, error) {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(64<<20))
	return &rowBlocks{conn: c, decoder: d, kept: map[int64][][]byte{}}, err
}

// item is an action of selectRows.
func (b *rowBlocks) item(stmt *sqlite.Stmt) (actionlog.Item, error) {
	document, err := b.document(stmt.ColumnInt64(2), stmt.ColumnInt(3))
	if err != nil {
		return actionlog.Item{}, err
	}
	r := actionlog.Record{ID: stmt.ColumnText(0), Institution: stmt.ColumnText(1), Document: document, ReceivedAt: time.Unix(0, stmt.ColumnInt64(4)).UTC(),
		Position: actionlog.Position{Stream: stmt.ColumnText(5), Sequence: uint64(stmt.ColumnInt64(6))}}
	if text := columnBytes(stmt, 7); len(text) > 0 {
		if err := json.Unmarshal(text, &r.Warnings); err != nil {
			return actionlog.Item{}, fmt.Errorf("%w: warnings: %w", errPiece, err)
		}
	}
	item, err := r.Item()
	if err != nil { // a rule that is newer than the action: the archive makes the day anew without it, and says so
		err = fmt.Errorf("%w: %s of %s: %w", errPiece, r.ID, r.Institution, err)
	}
	return item, err
}

func (b *rowBlocks) document(no int64, slot int) ([]byte, error) {
	documents, ok := b.kept[no]
	if !ok {
		stmt, err := prepare(b.conn, "SELECT data FROM block WHERE no = ?", no)
		if err != nil {
			return nil, err
		}
		found, err := stmt.Step()
		data := columnBytes(stmt, 0)
		if err = errors.Join(err, stmt.Reset()); err != nil || !found {
			return nil, errors.Join(err, fmt.Errorf("%w: a block", errPiece))
		}
		size := 0
		if documents, size, err = b.unpack(data); err != nil {
			return nil, err
		}
		if b.bytes += size; len(b.kept) >= 64 || b.bytes > batchBytes {
			clear(b.kept)
			b.bytes = size
		}
		b.kept[no] = documents
	}
	if slot < 0 || slot >= len(documents) {
		return nil, fmt.Errorf("%w: a block", errPiece)
	}
	return documents[slot], nil
}

// unpack reads a block: the number of documents, their lengths, and the documents.
func (b *rowBlocks) unpack(data []byte) (documents [][]byte, size int, err error) {
	plain, err := b.decoder.DecodeAll(data, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("%w: %w", errPiece, err)
	}
	size = len(plain)
	next := func() uint64 {
		v, n := binary.Uvarint(plain)
		if n <= 0 {
			err = fmt.Errorf("%w: a block", errPiece)
			return 0
		}
		plain = plain[n:]
		return v
	}
	lengths := make([]uint64, min(next(), 1<<16))
	for i := range lengths {
		lengths[i] = next()
	}
	for _, n := range lengths {
		if err != nil || n > uint64(len(plain)) {
			return nil, 0, errors.Join(err, fmt.Errorf("%w: a block", errPiece))
		}
		documents = append(documents, plain[:n:n])
		plain = plain[n:]
	}
	return documents, size, err
}
