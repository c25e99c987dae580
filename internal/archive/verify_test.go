package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"actionlog"

	"golang.org/x/mod/sumdb/note"
)

// TestDamageIsFound does something to an archive a thousand times.
func TestDamageIsFound(t *testing.T) {
	dir, rounds := t.TempDir(), 1000
	if testing.Short() {
		rounds = 100
	}
	w := newWriter(t, dir)
	for i := range 4 {
		if err := errors.Join(w.Append(t.Context(), lines(1+500*i, 500)), w.Seal(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	root := filepath.Join(dir, "archive")
	if err := os.Remove(filepath.Join(root, openName)); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, pattern := range []string{"*", "*/*"} {
		paths, _ := filepath.Glob(filepath.Join(root, pattern))
		for _, path := range paths {
			if text, err := os.ReadFile(path); err == nil {
				files[path] = text
			}
		}
	}
	var names []string
	for path := range files {
		names = append(names, path)
	}
	for seed := range rounds {
		r := rand.New(rand.NewPCG(uint64(seed), 1))
		did := damage(t, r, names, files)
		if report := verify(t, dir, w.PublicKey()); len(report.Findings) == 0 {
			t.Errorf("seed %d: %s was not found", seed, did)
		}
		for path, text := range files {
			if now, err := os.ReadFile(path); err != nil || !bytes.Equal(now, text) {
				if err := os.WriteFile(path, text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
		}
		left, _ := filepath.Glob(filepath.Join(root, "*", "*"))
		for _, path := range left {
			if files[path] == nil {
				os.Remove(path)
			}
		}
	}
	if report := verify(t, dir, w.PublicKey()); len(report.Findings) > 0 {
		t.Errorf("unharmed: %+v", report)
	}
}

func damage(t *testing.T, r *rand.Rand, names []string, files map[string][]byte) string {
	path := names[r.IntN(len(names))]
	text := bytes.Clone(files[path])
	what := ""
	write := func(path string, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	switch r.IntN(7) {
	case 0, 1, 2:
		i, bit := r.IntN(len(text)), r.IntN(8)
		text[i] ^= 1 << bit
		write(path, text)
		what = fmt.Sprintf("bit %d of byte %d flipped", bit, i)
	case 3:
		n := r.IntN(len(text))
		write(path, text[:n])
		what = fmt.Sprintf("cut off at %d", n)
	case 4:
		if filepath.Base(path) == keyName { // it is not needed: the auditor has it
			path = names[(r.IntN(len(names))+1)%len(names)]
		}
		if filepath.Base(path) == keyName {
			write(path, append(text, 'x'))
			return path + ": longer"
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		what = "removed"
	case 5:
		other := names[r.IntN(len(names))]
		for bytes.Equal(files[other], text) {
			other = names[r.IntN(len(names))]
		}
		write(path, files[other])
		write(other, text)
		what = "exchanged with " + other
	default:
		i := r.IntN(len(text) + 1)
		write(path, append(append(bytes.Clone(text[:i]), byte(r.IntN(256))), text[i:]...))
		what = fmt.Sprintf("a byte added at %d", i)
	}
	return path + ": " + what
}

// TestForgery: who can write everything but has not the key is found out, and who takes
// away the end with an old checkpoint is, by one that was kept elsewhere.
func TestForgery(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir)
	var kept [][]byte
	for i := range 3 {
		if err := errors.Join(w.Append(t.Context(), lines(1+50*i, 50)), w.Seal(t.Context())); err != nil {
			t.Fatal(err)
		}
		text, err := w.Storage.Read(t.Context(), checkpointName)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, text)
	}
	w.Close()
	// Another archive of the same name with another key.
	private, _, err := note.GenerateKey(bytes.NewReader(make([]byte, 64)), origin(w.id))
	if err != nil {
		t.Fatal(err)
	}
	forger, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	c, err := openCheckpoint(kept[1], mustVerifier(t, w.public))
	if err != nil {
		t.Fatal(err)
	}
	forged, err := c.sign(forger)
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "archive")
	for _, path := range []string{filepath.Join(root, filepath.FromSlash(manifestName(3))), filepath.Join(root, filepath.FromSlash(w.last.Segment.Name))} {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	for i, text := range [][]byte{kept[2], forged} {
		if err := w.Storage.Put(t.Context(), checkpointName, text); err != nil {
			t.Fatal(err)
		}
		if r := verify(t, dir, w.PublicKey()); len(r.Findings) == 0 {
			t.Errorf("checkpoint %d: nothing is found", i)
		}
	}
	if err := w.Storage.Put(t.Context(), checkpointName, kept[1]); err != nil {
		t.Fatal(err)
	}
	if r := verify(t, dir, w.PublicKey()); len(r.Findings) != 0 || r.Actions != 100 {
		t.Errorf("an archive as it was once: %+v", r)
	}
	for i, want := range []int{0, 0, 1} {
		r, err := Verify(t.Context(), w.Storage, VerifyOptions{Key: w.PublicKey(), Checkpoint: kept[i]})
		if err != nil || len(r.Findings) != want {
			t.Errorf("against checkpoint %d: %+v, %v", i, r, err)
		}
	}
}

func mustVerifier(t *testing.T, key string) note.Verifier {
	v, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestProof: each action of an institution can be proven to who has the key, says
// nothing of others, and nothing else passes.
func TestProof(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir)
	all := lines(1, 200)
	if err := errors.Join(w.Append(t.Context(), all), w.Seal(t.Context()), w.Append(t.Context(), lines(201, 50))); err != nil {
		t.Fatal(err)
	}
	p := &Prover{w.Storage, w.KeyFile}
	var last []byte
	for _, l := range all {
		proof, err := p.Prove(t.Context(), l.Institution, fmt.Sprint("a", l.Position.Sequence), l.Position)
		if l.Dead != "" {
			if !errors.Is(err, actionlog.ErrNotFound) {
				t.Errorf("%s, which is no action: %v", l.Position, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := json.Marshal(proof)
		if err != nil {
			t.Fatal(err)
		}
		institution, document, err := OpenProof(text, w.PublicKey())
		if err != nil || institution != l.Institution || !bytes.Equal(document, l.Document) {
			t.Errorf("%s: %q %q %v", l.Position, institution, document, err)
		}
		if strings.Contains(string(text), "sequence") {
			t.Errorf("the proof tells the position: %s", text)
		}
		checkForged(t, text, w.PublicKey(), l.Institution)
		last = text
	}
	if _, err := p.Prove(t.Context(), "alpha", "a220", actionlog.Position{Stream: "s1", Sequence: 220}); !errors.Is(err, ErrNotSealed) {
		t.Errorf("not sealed: %v", err)
	}
	for _, l := range all[:20] {
		if _, err := p.Prove(t.Context(), "delta", fmt.Sprint("a", l.Position.Sequence), l.Position); !errors.Is(err, actionlog.ErrNotFound) {
			t.Errorf("another institution's: %v", err)
		}
		if _, err := p.Prove(t.Context(), l.Institution, "a999", l.Position); !errors.Is(err, actionlog.ErrNotFound) {
			t.Errorf("another action at this position: %v", err)
		}
	}
	other := newWriter(t, t.TempDir())
	if _, _, err := OpenProof(last, other.PublicKey()); err == nil {
		t.Error("a proof passes with another archive's key")
	}
}

// checkForged holds that a proof that was changed anywhere is none.
func checkForged(t *testing.T, text []byte, key, institution string) {
	t.Helper()
	for _, change := range []func(*Proof){
		func(p *Proof) { p.Statement = strings.Replace(p.Statement, "Melody", "Meldoy", 1) },
		func(p *Proof) { p.Statement = strings.Replace(p.Statement, "2026", "2025", 1) },
		func(p *Proof) { p.Index++ },
		func(p *Proof) { p.Size++ },
		func(p *Proof) { p.Path[0][0] ^= 1 },
		func(p *Proof) { p.Checkpoint = strings.Replace(p.Checkpoint, institution, "other", 1) },
	} {
		var changed Proof
		if err := json.Unmarshal(text, &changed); err != nil {
			t.Fatal(err)
		}
		change(&changed)
		bad, err := json.Marshal(changed)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := OpenProof(bad, key); err == nil {
			t.Errorf("%s passes", bad)
		}
	}
}

// TestVerifyWhileWritten: an archive that is written meanwhile has no findings.
func TestVerifyWhileWritten(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir)
	done := make(chan error, 1)
	go func() {
		var err error
		for i := 0; i < 60 && err == nil; i++ {
			err = errors.Join(w.Append(t.Context(), lines(1+20*i, 20)), w.Seal(t.Context()))
		}
		done <- err
	}()
	for rounds := 0; ; rounds++ {
		select {
		case err := <-done:
			if err != nil || rounds == 0 {
				t.Errorf("%d rounds: %v", rounds, err)
			}
			if r := verify(t, dir, w.PublicKey()); len(r.Findings) > 0 || len(r.Notes) > 0 || r.Actions != 1200 {
				t.Errorf("in the end: %+v", r)
			}
			return
		default:
		}
		s, err := OpenFolder(filepath.Join(dir, "archive"))
		if err != nil {
			t.Fatal(err)
		}
		r, err := Verify(t.Context(), s, VerifyOptions{Key: w.PublicKey()})
		if err != nil || len(r.Findings) > 0 {
			t.Fatalf("round %d: %+v, %v", rounds, r, err)
		}
	}
}
