package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"actionlog"
)

// An archive that a newer version of the program has written to is not written to, and not
// read past what is known.
func TestManifestOfANewerVersion(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir)
	for i := range 2 {
		if err := errors.Join(w.Append(t.Context(), lines(1+50*i, 50)), w.Seal(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	key := w.PublicKey()
	w.Close()
	path := filepath.Join(dir, "archive", filepath.FromSlash(manifestName(2)))
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	text = bytes.Replace(text, []byte(`{"version":1,`), []byte(`{"version":2,`), 1)
	if err := errors.Join(os.Chmod(path, 0o600), os.WriteFile(path, text, 0o600)); err != nil {
		t.Fatal(err)
	}

	const refused = "000000000002.ndjson is not a manifest that this program can read: version 2, of a newer version of it, which knows 1"
	if _, err := openIn(t.Context(), dir); err == nil || !strings.Contains(err.Error(), refused) {
		t.Errorf("writing: %v", err)
	}
	r := &Reader{FolderAt(filepath.Join(dir, "archive"))}
	if _, err := readManifest(t.Context(), r.Storage, 2); err == nil || !strings.Contains(err.Error(), refused) {
		t.Errorf("reading: %v", err)
	}
	found := verify(t, dir, key).Findings
	if !slices.ContainsFunc(found, func(f Finding) bool { return strings.Contains("archive: "+f.File+" "+f.What, refused) }) {
		t.Errorf("verifying: %v", found)
	}
}

func TestProofOfANewerVersion(t *testing.T) {
	dir := t.TempDir()
	w := newWriter(t, dir)
	if err := errors.Join(w.Append(t.Context(), lines(1, 50)), w.Seal(t.Context())); err != nil {
		t.Fatal(err)
	}
	w.Close()
	p := &Prover{Storage: FolderAt(filepath.Join(dir, "archive")), KeyFile: filepath.Join(dir, "key")}
	proof, err := p.Prove(t.Context(), "alpha", "a3", actionlog.Position{Stream: "s1", Sequence: 3})
	if err != nil {
		t.Fatal(err)
	}
	for version, refused := range map[int]string{1: "", 2: "proof: version 2 is not known"} {
		proof.Version = version
		text, err := json.Marshal(proof)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := OpenProof(text, w.PublicKey()); (err == nil) != (refused == "") || err != nil && err.Error() != refused {
			t.Errorf("version %d: %v", version, err)
		}
	}
}
