package sqlite

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"

	"actionlog"
	"actionlog/internal/segment"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// held is a segment of a day. Its pieces stay in the file as long as somebody reads it.
type held struct {
	*segment.Segment
	no   int64
	refs int  // who reads it; under day.mu
	dead bool // merged into another; the same
}

// view is a day as it is at one moment, for one goroutine.
type view struct {
	*day
	store    *Store
	ctx      context.Context
	conn     *sqlite.Conn
	segments []*held
	recent   *simplelru.LRU[int64, []byte] // pieces that it read, where these are not worth remembering for others; nil: they are
}

// recentPieces are what a view that reads all of a day remembers: about a megabyte. Who goes through several parts of several
// segments at once, as a merge does, comes back to the same pieces many times.
const recentPieces = 64

// spare has the view leave alone what others remember.
func (v *view) spare() {
	v.recent, _ = simplelru.NewLRU[int64, []byte](recentPieces, nil) // it fails only where there is no room for one
}

// read runs f with a view of the day; not at all where there is nothing. Errors are translated: damage sets
// the day aside, and all are ErrUnavailable.
func (s *Store) read(ctx context.Context, d *day, f func(v *view) error) error {
	return s.judge(ctx, d, s.with(ctx, d, f))
}

// with runs f with a view of the day, or of the one that took its place.
func (s *Store) with(ctx context.Context, d *day, f func(v *view) error) error {
	c, segments, err := d.acquire()
	for errors.Is(err, errReplaced) {
		d = d.next()
		c, segments, err = d.acquire()
	}
	if err != nil || c == nil { // dropped, or nothing written yet
		return err
	}
	c.SetInterrupt(ctx.Done())
	v := &view{day: d, store: s, ctx: ctx, conn: c, segments: segments}
	err = f(v)
	c.SetInterrupt(nil)
	if d.release(c, segments) && !d.building {
		s.compactor.add(d)
	}
	return err
}

// acquire lends a connection and the day's segments.
func (d *day) acquire() (*sqlite.Conn, []*held, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, err := d.reader()
	if err != nil || c == nil {
		return nil, nil, err
	}
	if err := d.load(c); err != nil {
		_ = c.Close()
		return nil, nil, err
	}
	for _, h := range d.segments {
		h.refs++
	}
	return c, d.segments, nil
}

// release gives back what acquire lent; garbage says that there are pieces now that nobody needs.
func (d *day) release(c *sqlite.Conn, segments []*held) (garbage bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, h := range segments {
		if h.refs--; h.refs == 0 && h.dead {
			d.trash = append(d.trash, h.no)
			garbage = true
		}
	}
	d.giveBack(c)
	return garbage && !d.gone
}

// load reads which segments there are, unless that is known; d.mu is held. Those that are known already are kept.
func (d *day) load(c *sqlite.Conn) (err error) {
	if d.loaded {
		return nil
	}
	end := sqlitex.Transaction(c)
	defer end(&err)
	known := map[int64]*held{}
	for _, h := range d.segments {
		known[h.no] = h
	}
	var all []*held
	err = sqlitex.Execute(c, "SELECT no, head FROM segment ORDER BY no", &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		h := known[stmt.ColumnInt64(0)]
		if h == nil {
			s, err := segment.ParseHead(columnBytes(stmt, 1))
			if err != nil {
				return fmt.Errorf("%w: %w", errPiece, err)
			}
			h = &held{Segment: s, no: stmt.ColumnInt64(0)}
		}
		all = append(all, h)
		return nil
	}})
	if err != nil {
		return err
	}
	key, err := setting(c, "key")
	if err != nil {
		return err
	}
	keySum, err := setting(c, "key_sum")
	summed := err == nil // the first files of version 3 have none
	if err != nil && !errors.Is(err, errPiece) {
		return err
	}
	list, err := setting(c, "segments")
	switch {
	case err != nil:
		return err
	case len(key) != len(d.key) || summed && !bytes.Equal(keySum, sumOf(key)):
		return fmt.Errorf("%w: its key", errPiece)
	case !bytes.Equal(list, listOf(all)):
		return fmt.Errorf("%w: there are other segments than were written", errPiece)
	}
	next, err := number(c, "SELECT max((SELECT coalesce(max(no), 0) FROM segment), (SELECT coalesce(max(no), 0) >> ? FROM piece)) + 1", pieceBits)
	if err != nil {
		return err
	}
	d.segments, d.key, d.nextSegment, d.loaded = all, segment.Key(key), max(next, d.nextSegment), true
	return nil
}

func setting(c *sqlite.Conn, name string) (value []byte, err error) {
	err = sqlitex.Execute(c, "SELECT value FROM setting WHERE name = ?", &sqlitex.ExecOptions{Args: []any{name}, ResultFunc: func(stmt *sqlite.Stmt) error {
		value = columnBytes(stmt, 0)
		return nil
	}})
	if err == nil && value == nil {
		err = fmt.Errorf("%w: it has no setting %s", errPiece, name)
	}
	return value, err
}

// sumOf is the CRC-32C of a setting, as it is written.
func sumOf(value []byte) []byte {
	return binary.LittleEndian.AppendUint32(nil, crc32.Checksum(value, castagnoli))
}

// pieceBits of a piece's number are its place in the segment, the others the segment's number.
const pieceBits = 20

// errPiece is damage that SQLite cannot see.
var errPiece = errors.New("what is stored is not what was written")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// sum is the CRC-32C of a piece's number and content.
func sum(no int64, data []byte) uint32 {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(no))
	return crc32.Update(crc32.Checksum(b[:], castagnoli), castagnoli, data)
}

// pieceKey names a piece in the cache; days are told apart by a number that no other has.
type pieceKey struct {
	day   uint64
	piece int64
}

// reader reads a segment of the view.
func (v *view) reader(h *held) *segment.Reader {
	r := h.NewReader(v.store.codec, func(no int) ([]byte, error) { return v.piece(h.no<<pieceBits | int64(no)) })
	if v.recent == nil {
		r.Keep(chunks{v.store, v.serial, h.no})
	}
	return r
}

// chunks are those of a segment that the store remembers.
type chunks struct {
	store   *Store
	day     uint64
	segment int64
}

// chunkKey names a chunk of a column in the cache.
type chunkKey struct {
	day        uint64
	segment    int64
	column, no int
}

func (c chunks) Get(column, no int) ([]byte, bool) {
	return c.store.chunks.Get(chunkKey{c.day, c.segment, column, no})
}

func (c chunks) Add(column, no int, text []byte) {
	c.store.chunks.Add(chunkKey{c.day, c.segment, column, no}, text)
}

func (v *view) piece(no int64) ([]byte, error) {
	key := pieceKey{v.serial, no}
	if data, ok := v.store.pieces.Get(key); ok {
		return data, nil
	}
	if v.recent != nil {
		if data, ok := v.recent.Get(no); ok {
			return data, nil
		}
	}
	if err := v.ctx.Err(); err != nil {
		return nil, err
	}
	data, err := readPiece(v.conn, no)
	switch {
	case err != nil:
		return nil, err
	case v.recent != nil:
		v.recent.Add(no, data)
	default:
		v.store.pieces.Add(key, data)
	}
	return data, nil
}

// readPiece reads a piece from a file, and checks it.
func readPiece(c *sqlite.Conn, no int64) ([]byte, error) {
	stmt, err := prepare(c, "SELECT data FROM piece WHERE no = ?", no)
	if err != nil {
		return nil, err
	}
	defer stmt.Reset()
	found, err := stmt.Step()
	if err != nil {
		return nil, err
	}
	if !found {
		return nil, fmt.Errorf("%w: piece %d is missing", errPiece, no)
	}
	data := columnBytes(stmt, 0)
	if len(data) < 4 || binary.LittleEndian.Uint32(data) != sum(no, data[4:]) {
		return nil, fmt.Errorf("%w: the checksum of piece %d is wrong", errPiece, no)
	}
	return data[4:], nil
}

// find is what a query finds in a segment.
type find struct {
	*segment.Reader
	institution segment.Institution
	low, high   int // rows in the time that is asked for
}

// finds looks for the institution in every segment of the view; each is told of those that have actions of it in the time
// that is asked for.
func (v *view) finds(q *actionlog.Query, each func(find) error) error {
	s := spanOf(q, v.date)
	for _, h := range v.segments {
		if h.MinMilli >= s.high || h.MaxMilli < s.low || s.low >= s.high {
			continue
		}
		f := find{Reader: v.reader(h)}
		var ok bool
		if f.institution, ok = f.Institution(q.Institution); ok {
			f.low = f.LowerBound(s.low, f.institution.Low, f.institution.High)
			f.high = f.LowerBound(s.high, f.institution.Low, f.institution.High)
		}
		if err := f.Err(); err != nil {
			return err
		}
		if f.low < f.high {
			if err := each(f); err != nil {
				return err
			}
		}
	}
	return nil
}
