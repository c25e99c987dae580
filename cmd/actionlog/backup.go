package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/archive"
	"actionlog/internal/sqlite"
)

// backupCmd copies what a service cannot be made anew without, while it runs.
type backupCmd struct {
	To         string        `arg:"" help:"A folder on another disk or machine. It is made where it is not there, and brought up to date where it is."`
	Archive    string        `placeholder:"FOLDER" help:"The service's archive, as serve has it. Default: DIR/archive."`
	ArchiveKey string        `name:"archive-key" placeholder:"FILE" help:"The private key of the archive, as serve has it. Default: DIR/archive.key."`
	NoArchive  bool          `name:"no-archive" help:"Leave the archive out, and do without its key: there is none, or they are backed up otherwise."`
	NATS       string        `name:"nats" placeholder:"URL" help:"As serve has it: the state is on these servers then, and is not copied."`
	Wait       time.Duration `placeholder:"DURATION" default:"1m" help:"How long to wait until the archive holds all that the stream had taken when the backup began."`
}

// backupReport is what a backup holds; it stands beside it, and in the service's folder.
type backupReport struct {
	MadeAt      time.Time       `json:"made_at"`
	Version     string          `json:"version"`
	Archive     *archive.Copied `json:"archive,omitempty"` // none where it is in S3, or there is none
	DeadLetters int             `json:"dead_letters"`
	Files       []string        `json:"files"`
}

// notBackedUp are buckets of the state that speak of files which are in no backup: days
// that were brought back, and exports. Somebody who wants them asks for them again.
var notBackedUp = []string{"restores", "restored", "exports"}

// Run makes the backup, and says what it holds.
func (b *backupCmd) Run(ctx context.Context, s *settings, out *console) error {
	c, err := s.client()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(b.To, 0o700); err != nil {
		return err
	}
	lock, err := sqlite.LockFolder(b.To)
	if err != nil {
		return err
	}
	defer lock.Close()
	report := backupReport{MadeAt: time.Now().UTC().Truncate(time.Second), Version: version(), Files: []string{}}
	if err := b.copyArchive(ctx, c, s, out, &report); err != nil {
		return err
	}
	if err := b.copyState(ctx, s, out, &report); err != nil {
		return err
	}
	if err := b.copyKeys(s, &report); err != nil {
		return err
	}
	if report.DeadLetters, err = b.copyDeadLetters(ctx, c); err != nil {
		return err
	}
	text, err := json.Marshal(&report)
	if err != nil {
		return err
	}
	for _, dir := range []string{b.To, s.Data} {
		if err := writeFile(filepath.Join(dir, backupMark), string(text)); err != nil {
			return err
		}
	}
	out.say("The backup in %s is whole.", b.To)
	return writeIndented(out.out, &report)
}

// copyArchive waits until the archive has all that was acknowledged before, and copies it.
func (b *backupCmd) copyArchive(ctx context.Context, c *client, s *settings, out *console, report *backupReport) error {
	name := cmp.Or(b.Archive, filepath.Join(s.Data, "archive"))
	if b.NoArchive || name == archiveOff {
		out.say("The archive is left out: what was published is not in this backup.")
		return nil
	}
	if isS3(name) {
		out.say("The archive is in S3 and is not copied: keep versions there, or copy the bucket.")
		return nil
	}
	from, err := archive.OpenFolder(name)
	if err != nil {
		return fmt.Errorf("%w; give --archive as serve has it, or its --config, or --no-archive", err)
	}
	to, err := archive.NewFolder(filepath.Join(b.To, "archive"))
	if err != nil {
		return err
	}
	var goal actionlog.Position // the newest that the stream had taken
	for end := time.Now().Add(b.Wait); ; {
		behind, last, err := c.archiveBehind(ctx)
		if err != nil {
			return fmt.Errorf("a backup needs the service to run; of one that stands, copy the whole folder: %w", err)
		}
		if goal.Sequence == 0 && behind >= 0 {
			goal = last
		}
		copied, err := archive.Copy(ctx, from, to)
		if err != nil {
			return err
		}
		if behind == 0 || goal.Sequence > 0 && copied.Last.Stream == goal.Stream && copied.Last.Sequence >= goal.Sequence {
			report.Archive = &copied
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("the archive is %g messages behind the stream: what they hold is not in the backup yet; actionlog check says why", behind)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// archiveBehind is how many messages of the stream the archive does not hold, and where the
// newest stands.
func (c *client) archiveBehind(ctx context.Context) (behind float64, last actionlog.Position, err error) {
	all, err := c.measure(ctx)
	if err != nil {
		return 0, last, err
	}
	behind, ok := all["actionlog_archive_behind_messages"]
	if !ok {
		return 0, last, errors.New("the service at this address writes no archive")
	}
	for name := range all {
		if incarnation, ok := strings.CutPrefix(name, `actionlog_stream_info{incarnation="`); ok {
			last.Stream = strings.TrimSuffix(incarnation, `"}`)
		}
	}
	last.Sequence = uint64(max(0, all["actionlog_stream_last_sequence"]))
	return behind, last, nil
}

// measure asks for the service's metrics, by name and labels.
func (c *client) measure(ctx context.Context) (map[string]float64, error) {
	resp, err := c.do(ctx, http.MethodGet, "/metrics", nil, "", nil)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	all := map[string]float64{}
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if number, err := strconv.ParseFloat(value, 64); ok && err == nil {
			all[name] = number
		}
	}
	return all, lines.Err()
}

// copyState copies tokens, keys, webhooks and sessions.
func (b *backupCmd) copyState(ctx context.Context, s *settings, out *console, report *backupReport) error {
	const name = "state.sqlite"
	if b.NATS != "" {
		out.say("The state is on the NATS servers and is not copied: nats stream backup KV_actionlog-state, docs/backup.md.")
		return nil
	}
	from := filepath.Join(s.Data, name)
	if _, err := os.Stat(from); err != nil {
		return fmt.Errorf("%w; give --data as serve has it, and --nats where the state is on NATS servers", err)
	}
	report.Files = append(report.Files, name)
	return sqlite.CopyState(ctx, from, filepath.Join(b.To, name), notBackedUp...)
}

// copyKeys copies what is secret and small.
func (b *backupCmd) copyKeys(s *settings, report *backupReport) error {
	files := map[string]string{"archive.key": cmp.Or(b.ArchiveKey, filepath.Join(s.Data, "archive.key"))}
	for _, name := range []string{"admin.token", "publisher.token"} {
		files[name] = filepath.Join(s.Data, name)
	}
	seeds, err := filepath.Glob(filepath.Join(s.Data, "publishers", "*.nk"))
	if err != nil {
		return err
	}
	for _, path := range seeds {
		files[filepath.Join("publishers", filepath.Base(path))] = path
	}
	for name, from := range files {
		text, err := os.ReadFile(from)
		if missing := errors.Is(err, os.ErrNotExist); missing && name == "archive.key" && !b.NoArchive && b.Archive != archiveOff {
			return fmt.Errorf("%w; give --archive-key as serve has it, or --no-archive: without its key nobody can go on with an archive", err)
		} else if missing {
			continue
		}
		to := filepath.Join(b.To, name)
		if err == nil {
			err = os.MkdirAll(filepath.Dir(to), 0o700)
		}
		if err == nil {
			err = writeFile(to, string(text))
		}
		if err != nil {
			return err
		}
		report.Files = append(report.Files, name)
	}
	return nil
}

// copyDeadLetters writes down the dead letters: they are on the stream only.
func (b *backupCmd) copyDeadLetters(ctx context.Context, c *client) (n int, err error) {
	path := filepath.Join(b.To, "dead-letters.ndjson")
	file, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return 0, err
	}
	err = c.eachDeadLetter(ctx, func(letter json.RawMessage) error {
		n++
		_, err := io.WriteString(file, string(letter)+"\n")
		return err
	})
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return n, err
	}
	return n, os.Rename(path+".new", path)
}
