package main

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/access"
	"actionlog/internal/doctor"
	"actionlog/internal/sqlite"
)

// examine runs doctor on a folder and returns what it found, and its exit status.
func examine(t *testing.T, dir string, args ...string) (found []doctor.Finding, status int) {
	t.Helper()
	var out, errs strings.Builder
	status = run(t.Context(), append([]string{"doctor", "--json", "--data", dir}, args...), strings.NewReader(""), &out, &errs)
	var answer struct{ Findings []doctor.Finding }
	if err := json.Unmarshal([]byte(out.String()), &answer); err != nil {
		t.Fatalf("%v: %v\n%s%s", args, err, out.String(), errs.String())
	}
	return answer.Findings, status
}

// finds fails unless a check was found in a state, with a sentence that says something.
func finds(t *testing.T, found []doctor.Finding, check string, state doctor.State, saying string) {
	t.Helper()
	for _, f := range found {
		if f.Check == check && f.State == state && strings.Contains(f.About, saying) {
			return
		}
	}
	t.Errorf("no %q of %s says %q:\n%+v", state, check, saying, found)
}

// allOK fails where something is not as it should be.
func allOK(t *testing.T, found []doctor.Finding) {
	t.Helper()
	for _, f := range found {
		if f.State != doctor.OK && f.Check != "room" { // the disk of the machine may be full
			t.Errorf("%+v", f)
		}
	}
}

// contents are the files of a folder and their hashes.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		info, err2 := d.Info()
		if err == nil && err2 == nil {
			files[path] = fmt.Sprintf("%x %v %v", sha256.Sum256(text), info.Mode(), info.ModTime())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestDoctor makes one fault after the other in a set-up that was well.
func TestDoctor(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	s, stop := startServiceOn(t, dir, []string{"--archive-seal-age", "200ms"})
	s.publish(t, inventedLines(50, time.Now()))
	s.archived(t)
	s.command(t, statusDone, "backup", filepath.Join(t.TempDir(), "backup"))
	found, status := examine(t, dir)
	if allOK(t, found); status != statusDone {
		t.Errorf("a service that is well: %d", status)
	}
	finds(t, found, "service", doctor.OK, "it runs at")
	s.publishInvalid(t)
	s.settle(t)
	found, status = examine(t, dir)
	finds(t, found, "dead letters", doctor.Warning, "1 actions")
	if status != statusDone {
		t.Error("a warning is no failure")
	}
	stop()

	before := contents(t, dir)
	found, status = examine(t, dir)
	finds(t, found, "service", doctor.Skipped, "does not answer")
	finds(t, found, "archive", doctor.OK, "the newest is as it was written")
	finds(t, found, "tokens", doctor.OK, "none of 1")
	if status != statusDone {
		t.Errorf("a service that stands: %d %+v", status, found)
	}
	for path, what := range contents(t, dir) {
		if before[path] != what {
			t.Errorf("doctor changed %s: %s, was %s", path, what, before[path])
		}
		delete(before, path)
	}
	if len(before) > 0 {
		t.Errorf("doctor removed %v", before)
	}
	for _, f := range folderFaults {
		t.Run(f.name, func(t *testing.T) { f.run(t, dir) })
	}
}

// folderFault is something that is wrong in a folder, made and unmade.
type folderFault struct {
	name   string
	make   func(t *testing.T, dir string) (unmake func())
	args   []string
	check  string
	state  doctor.State
	saying string
}

func (f *folderFault) run(t *testing.T, dir string) {
	unmake := f.make(t, dir)
	found, status := examine(t, dir, f.args...)
	finds(t, found, f.check, f.state, f.saying)
	if want := map[doctor.State]int{doctor.Wrong: statusFailed, doctor.Warning: statusDone}[f.state]; status != want {
		t.Errorf("status %d, not %d: %+v", status, want, found)
	}
	unmake()
}

// changed replaces a file of a folder, and puts it back.
func changed(name string, change func(text []byte) []byte) func(t *testing.T, dir string) func() {
	return func(t *testing.T, dir string) func() {
		t.Helper()
		paths, err := filepath.Glob(filepath.Join(dir, name))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v %v", name, paths, err)
		}
		path := paths[len(paths)-1]
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		other := change(append([]byte{}, text...))
		if os.Remove(path); other != nil {
			err = os.WriteFile(path, other, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// mode gives a file or the folder other rights for a while.
func mode(name string, during, after os.FileMode) func(t *testing.T, dir string) func() {
	return func(t *testing.T, dir string) func() {
		t.Helper()
		if err := os.Chmod(filepath.Join(dir, name), during); err != nil {
			t.Fatal(err)
		}
		return func() { _ = os.Chmod(filepath.Join(dir, name), after) }
	}
}

// written writes a file that was not there.
func written(name, text string) func(t *testing.T, dir string) func() {
	return func(t *testing.T, dir string) func() {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return func() { _ = os.Remove(filepath.Join(dir, name)) }
	}
}

func nothing(*testing.T, string) func() { return func() {} }

func removed([]byte) []byte { return nil }

func garbled(text []byte) []byte {
	for i := range min(len(text), 4096) {
		text[i] ^= 0x55
	}
	return text
}

// folderFaults are what can be wrong in the folder of a service that stands.
var folderFaults = []folderFault{
	{"others may look", mode("", 0o755, 0o700), nil, "folder", doctor.Wrong, "mode 0755"},
	{"everybody reads the key", mode("archive.key", 0o644, 0o600), nil, "secrets", doctor.Wrong, "archive.key"},
	{"a key that is not there", nothing, []string{"--archive-key", "/nowhere/archive.key"}, "secrets", doctor.Wrong, "/nowhere/archive.key"},
	{"another archive's key", changed("archive.key", func([]byte) []byte {
		return []byte("PRIVATE+KEY+actionlog/x\nactionlog/x+00000000+AAAA\n")
	}), nil, "archive", doctor.Wrong, "another archive's"},
	{"the newest segment is damaged", changed("archive/segments/*.zst", garbled), nil, "archive", doctor.Wrong, "is not what its manifest says"},
	{"a manifest is missing", changed("archive/manifests/000000000001.ndjson", removed), nil, "archive", doctor.Wrong, "its checkpoint signs"},
	{"a forged checkpoint", changed("archive/checkpoint", garbled), nil, "archive", doctor.Wrong, "checkpoint"},
	{"a day is missing", changed("store/actions-*.sqlite", removed), nil, "days", doctor.Wrong, "that the store has not"},
	{"a day is no database", changed("store/actions-*.sqlite", garbled), nil, "days", doctor.Wrong, "no database"},
	{"a day was set aside", written("store/actions-2026.01.01.sqlite.damaged-1", "x"), nil, "days", doctor.Warning, "set aside"},
	{"the state is damaged", changed("state.sqlite", garbled), nil, "state", doctor.Wrong, "state.sqlite"},
	{"a token is over", expiredToken, nil, "tokens", doctor.Warning, "1 are over"},
	{"it was killed", written("http.addr", "http://127.0.0.1:1\n"), nil, "service", doctor.Warning, "killed"},
	{"an old backup", func(t *testing.T, dir string) func() {
		old := time.Now().Add(-100 * time.Hour)
		if err := os.Chtimes(filepath.Join(dir, backupMark), old, old); err != nil {
			t.Fatal(err)
		}
		return func() {}
	}, nil, "backup", doctor.Warning, "4 days"},
	{"options that do not go together", nothing, []string{"--role", "search"}, "options", doctor.Wrong, "--role search"},
	{"plain HTTP for all", nothing, []string{"--listen", "0.0.0.0:8080", "--allow-plain-http"}, "listen", doctor.Warning, "can be read on the way"},
	{"no archive", nothing, []string{"--archive", "off"}, "archive", doctor.Warning, "what leaves the store is gone"},
	{"no certificate", nothing, []string{"--tls-cert", "/nowhere/cert.pem", "--tls-key", "/nowhere/key.pem"}, "certificate", doctor.Wrong, "cannot be read"},
	{"sign-in", nothing, []string{"--oidc-config", "/nowhere/oidc.json"}, "sign-in", doctor.Wrong, "/nowhere/oidc.json"},
	{"NATS is away", nothing, []string{"--nats", "nats://127.0.0.1:1"}, "nats", doctor.Wrong, "127.0.0.1:1"},
	{"the engine is away", nothing, []string{"--engine", "http://127.0.0.1:1"}, "engine", doctor.Wrong, "cannot be reached"},
}

// expiredToken puts a token into the state that is over by now.
func expiredToken(t *testing.T, dir string) func() {
	t.Helper()
	state, err := sqlite.OpenState(filepath.Join(dir, "state.sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	tokens := &access.Tokens{State: state, Now: func() time.Time { return time.Now().Add(-48 * time.Hour) }}
	g, _, err := tokens.Create(t.Context(), access.Grant{Name: "siem", Roles: []actionlog.Role{actionlog.RoleAuditor}, Institutions: []string{"invented"}, ExpiresAt: time.Now().Add(-24 * time.Hour)})
	if err == nil {
		err = state.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return func() {
		state, err := sqlite.OpenState(filepath.Join(dir, "state.sqlite"))
		if err == nil {
			_, err = (&access.Tokens{State: state, Now: time.Now}).Revoke(t.Context(), g.ID)
		}
		if err == nil {
			err = state.Close()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDoctorOfNothing: a folder that is not there, in memory, and a certificate that ends.
func TestDoctorOfNothing(t *testing.T) {
	found, status := examine(t, filepath.Join(t.TempDir(), "none"))
	finds(t, found, "folder", doctor.Warning, "is not there")
	if status != statusDone {
		t.Errorf("before a first start: %d %+v", status, found)
	}
	cert, key := writeCertificate(t, t.TempDir(), 1) // good for an hour
	found, status = examine(t, t.TempDir(), "--tls-cert", cert, "--tls-key", key)
	finds(t, found, "certificate", doctor.Wrong, "ends in")
	if status != statusFailed {
		t.Error(status)
	}
	memory, err := os.MkdirTemp("/dev/shm", "actionlog-")
	if err != nil {
		lacking(t, "no file system in memory: %v", err)
	}
	defer os.RemoveAll(memory)
	if fileSystem(memory) != "tmpfs" {
		lacking(t, "%s is on %q", memory, fileSystem(memory))
	}
	found, _ = examine(t, memory)
	finds(t, found, "file system", doctor.Wrong, "in memory")
}

// TestDoctorReadsServesOptions: the section of serve in a configuration is that of doctor.
func TestDoctorReadsServesOptions(t *testing.T) {
	file := filepath.Join(t.TempDir(), "actionlog.yaml")
	if err := os.WriteFile(file, []byte("serve:\n  listen: 0.0.0.0:8080\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, _ := examine(t, t.TempDir(), "--config", file)
	finds(t, found, "options", doctor.Wrong, "0.0.0.0:8080")
}
