package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/elastic"
	"actionlog/internal/sqlite"
)

// copyCmd copies a store into another.
type copyCmd struct {
	From     string `required:"" placeholder:"ENGINE" help:"The store to be read: a service's folder, or the URL of Elasticsearch or OpenSearch."`
	To       string `required:"" placeholder:"ENGINE" help:"The store to be written: the same. What it holds already stays."`
	User     string `name:"engine-user" placeholder:"NAME" help:"User of the engine."`
	Password string `name:"engine-password" placeholder:"TEXT" help:"Password of --engine-user; better given by the environment."`
	APIKey   string `name:"engine-api-key" placeholder:"KEY" help:"API key of the engine, instead of a user; better given by the environment."`
	CA       string `name:"engine-ca" placeholder:"FILE" help:"Certificate authorities (PEM) of the engine, instead of the system's."`
	Prefix   string `name:"engine-prefix" placeholder:"TEXT" help:"What the names of all indices begin with."`
	Progress string `placeholder:"FILE" default:"actionlog-copy.ndjson" help:"Days that are copied and verified are noted here, and not copied again: a copy that was interrupted goes on. Default: ${default}."`
}

// copied is a day of an institution that is copied and verified: a line of the file of
// progress.
type copied struct {
	From        string `json:"from"`
	To          string `json:"to"`
	Day         string `json:"day"`
	Institution string `json:"institution"`
	Actions     int64  `json:"actions"`
	SHA256      string `json:"sha256"`
}

// Run copies, day by day, and compares count and hash of each day.
func (c *copyCmd) Run(ctx context.Context, out *console) error {
	log := slog.New(slog.NewTextHandler(out.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
	from, err := c.open(ctx, c.From, log)
	if err != nil {
		return fmt.Errorf("--from: %w", err)
	}
	defer from.Close()
	to, err := c.open(ctx, c.To, log)
	if err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	defer to.Close()
	done, err := c.readProgress()
	if err != nil {
		return err
	}
	notes, err := os.OpenFile(c.Progress, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("--progress: %w", err)
	}
	defer notes.Close()
	x := &copying{copyCmd: c, from: from, to: to, done: done, notes: notes, out: out}
	return x.all(ctx)
}

// open opens a store by what the user calls it.
func (c *copyCmd) open(ctx context.Context, name string, log *slog.Logger) (engine, error) {
	if strings.Contains(name, "://") {
		return elastic.Open(ctx, elastic.Options{Addresses: strings.Split(name, ","), Username: c.User, Password: c.Password, APIKey: c.APIKey, CAFile: c.CA, Prefix: c.Prefix, Replicas: -1}, log)
	}
	dir := filepath.Join(name, "store")
	if _, err := os.Stat(name); err != nil && name == c.From {
		return nil, err
	}
	return sqlite.Open(ctx, dir, sqlite.Options{Log: log})
}

// key is what a line of progress is about.
func (d *copied) key() string { return d.From + "\n" + d.To + "\n" + d.Day + "\n" + d.Institution }

func (c *copyCmd) readProgress() (map[string]copied, error) {
	done := map[string]copied{}
	text, err := os.ReadFile(c.Progress)
	if errors.Is(err, fs.ErrNotExist) {
		return done, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--progress: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		var d copied
		if json.Unmarshal([]byte(line), &d) == nil { // a line that was cut off is a day that is copied again
			done[d.key()] = d
		}
	}
	return done, nil
}

// copying is a copy at work.
type copying struct {
	*copyCmd
	from, to engine
	done     map[string]copied
	notes    *os.File
	out      *console
}

func (x *copying) all(ctx context.Context) error {
	if missing := x.from.Missing(); len(missing) > 0 {
		return fmt.Errorf("--from: %s: what is missing cannot be copied", strings.Join(missing, "; "))
	}
	days, err := x.from.Days(ctx)
	if err != nil {
		return err
	}
	institutions, err := x.from.Institutions(ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(institutions, func(a, b actionlog.Institution) int { return strings.Compare(a.ID, b.ID) })
	total := int64(0)
	for i, d := range days {
		n := int64(0)
		for _, institution := range institutions {
			k, err := x.day(ctx, d.Day, institution.ID)
			if err != nil {
				return fmt.Errorf("%s of %s: %w", d.Day, institution.ID, err)
			}
			n += k
		}
		if n != d.Actions {
			return fmt.Errorf("%s: %d actions were copied, and it has %d: is somebody writing to it?", d.Day, n, d.Actions)
		}
		total += n
		x.out.say("%s: %d actions, the same in both (%d of %d days)", d.Day, n, i+1, len(days))
	}
	x.out.say("copied and verified: %d actions of %d days", total, len(days))
	return nil
}

func dayQuery(day actionlog.Day, institution string) actionlog.Query {
	return actionlog.Query{Institution: institution, From: day.Start(), To: day.End(), Staff: actionlog.StaffShown}
}

// day copies what an institution did on a day, and compares.
func (x *copying) day(ctx context.Context, day actionlog.Day, institution string) (int64, error) {
	note := copied{From: x.From, To: x.To, Day: day.String(), Institution: institution}
	q := dayQuery(day, institution)
	n, _, err := x.from.Count(ctx, q, 0)
	if err != nil || n == 0 {
		return 0, err
	}
	if old, ok := x.done[note.key()]; ok && old.Actions == n {
		return n, nil
	}
	sum, err := x.write(ctx, q)
	if err != nil {
		return 0, err
	}
	there, err := x.sumOf(ctx, q)
	if err != nil {
		return 0, err
	}
	if sum.n != there.n || sum.total != there.total {
		return 0, fmt.Errorf("there are %d actions in one (%s) and %d in the other (%s)", sum.n, sum, there.n, there)
	}
	note.Actions, note.SHA256 = sum.n, sum.String()
	line, err := json.Marshal(note)
	if err != nil {
		return 0, err
	}
	_, err = x.notes.Write(append(line, '\n'))
	return sum.n, err
}

// copyBatch is how many actions are written at once.
const copyBatch = 1000

// write copies what a query finds and returns the sum of what was written.
func (x *copying) write(ctx context.Context, q actionlog.Query) (sum daySum, err error) {
	batch, size := make([]actionlog.Item, 0, copyBatch), 0
	for r, err := range x.from.Scan(ctx, q, actionlog.OldestFirst) {
		if err != nil {
			return sum, err
		}
		item, err := r.Item()
		if err != nil {
			return sum, err
		}
		if batch, size = append(batch, item), size+len(item.Document); len(batch) == copyBatch || size > 8<<20 {
			if err := x.flush(ctx, batch, &sum); err != nil {
				return sum, err
			}
			batch, size = batch[:0], 0
		}
	}
	return sum, x.flush(ctx, batch, &sum)
}

// flush writes a batch; what the store is too busy for is written again.
func (x *copying) flush(ctx context.Context, batch []actionlog.Item, sum *daySum) error {
	rest := slices.Clone(batch)
	for pause := 100 * time.Millisecond; len(rest) > 0; pause = min(2*pause, 10*time.Second) {
		outcomes, err := x.to.Write(ctx, rest)
		if err != nil && (ctx.Err() != nil || !errors.Is(err, actionlog.ErrUnavailable)) {
			return err
		}
		var again []actionlog.Item
		for i := range rest {
			switch {
			case err != nil || outcomes[i].Kind == actionlog.OutcomeRetry:
				again = append(again, rest[i])
			case outcomes[i].Kind == actionlog.OutcomeNew, outcomes[i].Kind == actionlog.OutcomeRepeat:
				sum.add(&rest[i].Record)
			case outcomes[i].Kind == actionlog.OutcomeCollision:
				return fmt.Errorf("action %s: another document has its identity in --to", rest[i].ID)
			default:
				return fmt.Errorf("action %s: %w", rest[i].ID, outcomes[i].Err)
			}
		}
		if rest = again; len(rest) > 0 {
			x.out.say("%d actions are to be written again: the store is busy", len(rest))
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(pause):
			}
		}
	}
	return nil
}

func (x *copying) sumOf(ctx context.Context, q actionlog.Query) (sum daySum, err error) {
	for r, err := range x.to.Scan(ctx, q, actionlog.OldestFirst) {
		if err != nil {
			return sum, err
		}
		sum.add(&r)
	}
	return sum, nil
}

// daySum is a count and a hash of records in any order: the sum, byte by byte, of the
// SHA-256 of each.
type daySum struct {
	n     int64
	total [sha256.Size]byte
	hash  hash.Hash
}

func (d *daySum) add(r *actionlog.Record) {
	if d.hash == nil {
		d.hash = sha256.New()
	}
	d.hash.Reset()
	fmt.Fprintf(d.hash, "%s\n%s\n%d\n%d\n%s\n%q\n%t\n", r.Institution, r.ID, r.OccurredAt.UnixMilli(), r.ReceivedAt.UnixNano(), r.Position, r.Warnings, r.Staff)
	d.hash.Write(r.Document)
	for i, b := range d.hash.Sum(nil) {
		d.total[i] += b
	}
	d.n++
}

func (d daySum) String() string { return fmt.Sprintf("%x", d.total) }
