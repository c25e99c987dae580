package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/access"
	"actionlog/internal/archive"
	"actionlog/internal/doctor"
	"actionlog/internal/sqlite"
	"actionlog/search"
)

// folder judges the data folder.
func (x *examined) folder() {
	info, err := os.Stat(x.dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		x.Warn("folder", "a first start makes it; or give the right --data", "%s is not there", x.dir)
		return
	case err != nil:
		x.Wrong("folder", "", "%v", err)
		return
	case !info.IsDir():
		x.Wrong("folder", "give a folder by --data", "%s is no folder", x.dir)
		return
	}
	well := true
	if info.Mode().Perm()&0o077 != 0 {
		well = false
		x.Wrong("folder", "chmod 700 "+x.dir, "others than its owner may look into %s (mode %04o): there are tokens and actions in it", x.dir, info.Mode().Perm())
	}
	if owner, ours := ownerOf(info); owner != ours {
		well = false
		x.Warn("folder", "run the service, and this, as its owner", "%s belongs to user %d, and this is user %d", x.dir, owner, ours)
	}
	if err := mayWrite(x.dir); err != nil {
		well = false
		x.Wrong("folder", "chown it to the service's user, or mount it for writing", "%s cannot be written to: %v", x.dir, err)
	}
	if well {
		x.OK("folder", "%s is its owner's alone, and can be written to", x.dir)
	}
	free, err := roomIn(x.dir)
	size, err2 := sizeOf(x.dir)
	if err = errors.Join(err, err2); err != nil {
		x.Skip("room", "%v", err)
	} else {
		x.Room(x.dir, free, size)
	}
	x.FileSystem(x.dir, fileSystem(x.dir))
}

// secrets judges who may read files that hold secrets.
func (x *examined) secrets() {
	files := []string{x.cmd.TLSKey, x.cmd.NATSTLSKey, x.cmd.NATSSeed, x.cmd.NATSCredentials, x.cmd.NATSPasswordFile, x.cmd.NATSKey, x.cmd.ArchiveKey}
	for _, name := range []string{"admin.token", "publisher.token", "archive.key", "exports.name"} {
		files = append(files, filepath.Join(x.dir, name))
	}
	seeds, _ := filepath.Glob(filepath.Join(x.dir, "publishers", "*.nk")) // an error is of the pattern, which is right
	looked, open := 0, 0
	for _, file := range append(files, seeds...) {
		info, err := os.Stat(file)
		if file == "" || errors.Is(err, fs.ErrNotExist) && strings.HasPrefix(file, x.dir) {
			continue
		}
		looked++
		switch {
		case err != nil:
			open++
			x.Wrong("secrets", "put it there, or correct the option", "%v", err)
		case info.Mode().Perm()&0o007 != 0:
			open++
			x.Wrong("secrets", "chmod 600 "+file+", and make another if it was read", "everybody on this machine may read %s (mode %04o)", file, info.Mode().Perm())
		}
	}
	if looked == 0 {
		x.Skip("secrets", "there are none yet")
	} else if open == 0 {
		x.OK("secrets", "%d files with secrets are not for everybody", looked)
	}
}

// sqliteHeader begins each database.
var sqliteHeader = []byte("SQLite format 3\x00")

// days judges the store in the folder, without opening it.
func (x *examined) days(ctx context.Context) {
	entries, err := os.ReadDir(filepath.Join(x.dir, "store"))
	if errors.Is(err, fs.ErrNotExist) {
		x.Skip("days", "there is no store yet")
		return
	}
	if err != nil {
		x.Wrong("days", "", "%v", err)
		return
	}
	var days []actionlog.Day
	var aside, damaged []string
	for _, e := range entries {
		name := e.Name()
		if strings.Contains(name, ".damaged-") && !strings.HasSuffix(name, "-wal") && !strings.HasSuffix(name, "-shm") {
			aside = append(aside, name)
		}
		if !strings.HasSuffix(name, ".sqlite") {
			continue
		}
		if !isDatabase(filepath.Join(x.dir, "store", name)) {
			damaged = append(damaged, name)
		}
		date, _, _ := strings.Cut(strings.TrimPrefix(name, "actions-"), ".sqlite")
		if day, err := actionlog.ParseDay(strings.ReplaceAll(firstTen(date), ".", "-")); err == nil {
			days = append(days, day)
		}
	}
	const anew = "actionlog reindex DAY makes a day anew from the archive; the directory the service makes anew itself"
	if len(damaged) > 0 {
		x.Wrong("days", anew, "no database is in %s", strings.Join(damaged, ", "))
	}
	if len(aside) > 0 {
		x.Warn("days", anew+"; then these files can be removed", "files were set aside as damaged: %s", strings.Join(aside, ", "))
	}
	if len(damaged)+len(aside) == 0 {
		x.OK("days", "%d days are in the store", len(days))
	}
	x.archivedDays(ctx, days)
}

func firstTen(s string) string { return s[:min(10, len(s))] }

// isDatabase tells whether a file begins as a database does; one that is empty has just
// been made.
func isDatabase(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(sqliteHeader))
	n, _ := f.Read(head)
	return n == 0 || bytes.Equal(head[:n], sqliteHeader)
}

// archivedDays compares the days of the store with those that are archived.
func (x *examined) archivedDays(ctx context.Context, there []actionlog.Day) {
	storage, err := x.storage()
	if err != nil || x.cmd.Archive == archiveOff {
		return // archive says so
	}
	archived, err := (&archive.Reader{Storage: storage}).Days(ctx)
	if err != nil {
		return
	}
	// What lies beyond is a dead letter, and in no store.
	oldest, newest := actionlog.OldestKept(x.now), actionlog.DayOf(x.now.Add(actionlog.MaxAhead))
	var missing []string
	for day := range archived {
		if !day.Before(oldest) && !newest.Before(day) && !slices.Contains(there, day) {
			missing = append(missing, day.String())
		}
	}
	slices.Sort(missing)
	if len(missing) > 0 {
		x.Wrong("days", "actionlog reindex DAY…, or --all", "the archive holds actions of %d days that the store has not: %s", len(missing), strings.Join(missing[:min(5, len(missing))], " "))
	}
}

// storage is the archive's.
func (x *examined) storage() (archive.Storage, error) {
	r := &running{cmd: &x.cmd.serveCmd, dir: x.dir}
	name, _ := r.archivePaths()
	if isS3(name) {
		return archive.NewS3(name)
	}
	return archive.OpenFolder(name)
}

// archive judges the archive by its newest part.
func (x *examined) archive(ctx context.Context) {
	if x.cmd.Archive == archiveOff {
		return
	}
	storage, err := x.storage()
	if errors.Is(err, fs.ErrNotExist) {
		x.Skip("archive", "there is none yet")
		return
	}
	var status *archive.Status
	if err == nil {
		status, err = (&archive.Reader{Storage: storage}).Status(ctx)
	}
	if err != nil {
		x.Wrong("archive", "actionlog archive verify; docs/backup.md", "it cannot be read: %v", err)
		return
	}
	_, key := (&running{cmd: &x.cmd.serveCmd, dir: x.dir}).archivePaths()
	if _, err := os.Stat(key); err != nil {
		key = "" // a search process has none
	}
	switch err := archive.Sample(ctx, storage, key); {
	case errors.Is(err, archive.ErrOtherKey):
		x.Wrong("archive", "put the archive's own key there: with another one a new archive would be begun, or nothing", "%v", err)
	case errors.Is(err, archive.ErrDamaged):
		x.Wrong("archive", "actionlog archive verify names all of it; docs/backup.md", "%v", err)
	case err != nil && status.Segments > 0:
		x.Wrong("archive", "actionlog archive verify", "%v", err)
	default:
		x.OK("archive", "%d actions in %d segments, %d not sealed; the newest is as it was written", status.Actions, status.Segments, status.Unsealed)
	}
	if due := 3*x.cmd.ArchiveSealAge + time.Hour; x.runs && status.Unsealed > 0 && !status.SealedAt.IsZero() && x.now.Sub(status.SealedAt) > due {
		x.Warn("archive sealing", "the service's log says why", "the newest segment was sealed %s ago, and %d actions wait for it", x.now.Sub(status.SealedAt).Round(time.Minute), status.Unsealed)
	}
}

// tokens judges tokens: what the service says of them, or the state does.
func (x *examined) tokens(ctx context.Context) {
	if !x.runs {
		x.storedTokens(ctx)
		return
	}
	var answer struct{ Data []search.Token }
	if err := x.client.get(ctx, "/v1/tokens", nil, &answer); err != nil {
		x.Skip("tokens", "the service does not show them: %v", err)
		return
	}
	var list []doctor.Token
	for _, t := range answer.Data {
		list = append(list, doctor.Token{ID: t.ID, Name: t.Name, All: t.All, Roles: len(t.Roles), Expires: t.ExpiresAt, Used: t.UsedAt})
	}
	x.Tokens(list, x.now)
}

// storedTokens reads a copy of the state: whoever opens a database writes beside it.
func (x *examined) storedTokens(ctx context.Context) {
	if x.cmd.NATS != "" {
		x.Skip("tokens", "they are on the NATS servers, and the service does not run")
		return
	}
	copied, err := os.MkdirTemp("", "actionlog-doctor-")
	if err != nil {
		x.Skip("tokens", "%v", err)
		return
	}
	defer os.RemoveAll(copied)
	switch err := copySteady(os.ReadFile, x.dir, copied, "state.sqlite", "state.sqlite-wal"); {
	case errors.Is(err, fs.ErrNotExist):
		x.Skip("tokens", "there are none yet")
		return
	case err != nil:
		x.Skip("tokens", "%v", err)
		return
	}
	state, err := sqlite.OpenState(filepath.Join(copied, "state.sqlite"))
	if err != nil {
		x.Wrong("state", "docs/backup.md: put that of the last backup there", "%v", fmt.Errorf("%s: %w", filepath.Join(x.dir, "state.sqlite"), err))
		return
	}
	defer state.Close()
	grants, err := (&access.Tokens{State: state, Now: time.Now}).List(ctx)
	if err != nil {
		x.Wrong("state", "docs/backup.md: put that of the last backup there", "%v", err)
		return
	}
	var list []doctor.Token
	for _, g := range grants {
		list = append(list, doctor.Token{ID: g.ID, Name: g.Name, All: g.All, Roles: len(g.Roles), Expires: g.ExpiresAt, Used: g.UsedAt})
	}
	x.Tokens(list, x.now)
}

// errUnsteady: somebody writes to a file while it is copied.
var errUnsteady = errors.New("the service writes to it")

// copySteady copies files of a folder that belong together, and must not be written to
// meanwhile: all but the first need not be there.
func copySteady(read func(path string) ([]byte, error), from, to string, names ...string) (err error) {
	for range 3 {
		before := looks(from, names)
		for i, name := range names {
			var text []byte
			text, err = read(filepath.Join(from, name))
			if i > 0 && errors.Is(err, fs.ErrNotExist) {
				err = os.RemoveAll(filepath.Join(to, name)) // of the try before
				continue
			}
			if err == nil {
				err = os.WriteFile(filepath.Join(to, name), text, 0o600)
			}
			if err != nil {
				return err
			}
		}
		if err != nil || looks(from, names) == before {
			return err
		}
	}
	return fmt.Errorf("%s: %w", filepath.Join(from, names[0]), errUnsteady)
}

// looks are the sizes of files and when they were written to.
func looks(dir string, names []string) (text string) {
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil {
			text += fmt.Sprintln(name, info.Size(), info.ModTime().UnixNano())
		}
	}
	return text
}
