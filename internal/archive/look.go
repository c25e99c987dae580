package archive

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"

	"actionlog"

	"golang.org/x/mod/sumdb/note"
)

// Sample proves a part of an archive that is read in seconds: the checkpoint's signature,
// and the newest segment against its manifest. keyFile is the private key ("": the public
// one of the archive is taken as it is). An error that is ErrDamaged is about the archive.
func Sample(ctx context.Context, s Storage, keyFile string) error {
	public, err := s.Read(ctx, keyName)
	if err != nil {
		return err
	}
	if keyFile != "" {
		if err := sameKey(keyFile, string(public)); err != nil {
			return err
		}
	}
	verifier, err := note.NewVerifier(strings.TrimSpace(string(public)))
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, keyName, err)
	}
	signed := uint64(0)
	text, err := s.Read(ctx, checkpointName)
	if err != nil && !errors.Is(err, actionlog.ErrNotFound) {
		return err
	}
	if err == nil {
		c, err := openCheckpoint(text, verifier)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		signed = c.size
	}
	n, err := newest(ctx, s) // behind the checkpoint: it is the last of a segment
	if err == nil && signed > n {
		err = fmt.Errorf("%w: its checkpoint signs %d manifests, and there are %d", ErrDamaged, signed, n)
	}
	if err != nil || n == 0 {
		return err
	}
	m, err := readManifest(ctx, s, n)
	if errors.Is(err, errManifest) {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if err != nil {
		return err
	}
	return sampleSegment(ctx, s, &m.Segment)
}

func sampleSegment(ctx context.Context, s Storage, segment *Segment) error {
	sum := sha256.New()
	for at := int64(0); at < segment.Bytes; {
		part, err := s.ReadRange(ctx, segment.Name, at, min(linesPage, segment.Bytes-at))
		if errors.Is(err, ErrShort) || errors.Is(err, actionlog.ErrNotFound) {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
		if err != nil {
			return err
		}
		sum.Write(part)
		at += int64(len(part))
	}
	if hex.EncodeToString(sum.Sum(nil)) != segment.SHA256 {
		return fmt.Errorf("%w: %s is not what its manifest says", ErrDamaged, segment.Name)
	}
	return nil
}

// ErrOtherKey: the private key is not that of the archive.
var ErrOtherKey = errors.New("the private key is another archive's")

// sameKey looks whether a private key, which is not made, belongs to a public one.
func sameKey(file, public string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("archive: signing key: %w", err)
	}
	_, own, _ := strings.Cut(strings.TrimSpace(string(text)), "\n")
	if strings.TrimSpace(own) != strings.TrimSpace(public) {
		return fmt.Errorf("archive: %s: %w", file, ErrOtherKey)
	}
	return nil
}

// Days are how many actions are sealed of each day.
func (r *Reader) Days(ctx context.Context) (map[actionlog.Day]uint64, error) {
	days := map[actionlog.Day]uint64{}
	for m, err := range r.manifests(ctx) {
		if err != nil {
			return nil, err
		}
		for _, i := range m.Institutions {
			for _, d := range i.Days {
				day, err := actionlog.ParseDay(d.Day)
				if err != nil {
					return nil, fmt.Errorf("archive: %s: %w", manifestName(m.Number), err)
				}
				days[day] += d.Count
			}
		}
	}
	return days, nil
}
