package archive

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"actionlog"

	"golang.org/x/mod/sumdb/note"
)

// A checkpoint is a C2SP tlog-checkpoint (https://c2sp.org/tlog-checkpoint): a signed
// note of three lines, the log's origin, how many leaves it has, and its root.
type checkpoint struct {
	origin string
	size   uint64
	root   []byte
}

func (c *checkpoint) text() string {
	return c.origin + "\n" + strconv.FormatUint(c.size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.root) + "\n"
}

// sign returns the signed note.
func (c *checkpoint) sign(signer note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: c.text()}, signer)
}

// openCheckpoint reads a note that the key signed.
func openCheckpoint(text []byte, key note.Verifier) (*checkpoint, error) {
	n, err := note.Open(text, note.VerifierList(key))
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 4 {
		return nil, errors.New("checkpoint: it is not three lines")
	}
	c := &checkpoint{origin: lines[0]}
	if c.size, err = strconv.ParseUint(lines[1], 10, 64); err != nil {
		return nil, fmt.Errorf("checkpoint: size: %w", err)
	}
	if c.root, err = base64.StdEncoding.DecodeString(lines[2]); err != nil || c.text() != n.Text {
		return nil, errors.New("checkpoint: its root is not base64")
	}
	return c, nil
}

// origin names the log of an archive, and is the name of its key.
func origin(archive string) string { return "actionlog/" + archive }

// signingKey reads the private key of an archive, or makes it, and its ID. It belongs to
// the service, not into the archive: who can change both can forge.
func signingKey(path string) (archive string, signer note.Signer, public string, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		if text, err = makeKey(path); err != nil {
			return "", nil, "", fmt.Errorf("archive: signing key: %w", err)
		}
	}
	if err != nil {
		return "", nil, "", fmt.Errorf("archive: signing key: %w", err)
	}
	private, public, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if signer, err = note.NewSigner(private); err != nil {
		return "", nil, "", fmt.Errorf("archive: signing key %s is damaged: %w", path, err)
	}
	archive, ok := strings.CutPrefix(signer.Name(), "actionlog/")
	if _, err := note.NewVerifier(public); err != nil || !ok {
		return "", nil, "", fmt.Errorf("archive: signing key %s is damaged", path)
	}
	return archive, signer, public, nil
}

func makeKey(path string) ([]byte, error) {
	id := make([]byte, 8)
	_, _ = rand.Read(id) // never fails
	private, public, err := note.GenerateKey(rand.Reader, origin(hex.EncodeToString(id)))
	if err != nil {
		return nil, err
	}
	text := []byte(private + "\n" + public + "\n")
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return nil, err
	}
	if err := syncFile(path + ".new"); err != nil {
		return nil, err
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, err
	}
	return text, syncFolder(filepath.Dir(path))
}

// publishKey puts the public key beside what it proves; another key there means that
// the archive is somebody else's.
func publishKey(ctx context.Context, s Storage, public string) error {
	there, err := s.Read(ctx, keyName)
	switch {
	case errors.Is(err, actionlog.ErrNotFound):
		return s.Put(ctx, keyName, []byte(public+"\n"))
	case err != nil:
		return err
	case !bytes.Equal(bytes.TrimSpace(there), []byte(public)):
		return fmt.Errorf("archive: %s belongs to another signing key (%s), not to this service's", s, strings.TrimSpace(string(there)))
	}
	return nil
}
