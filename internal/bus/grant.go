package bus

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"actionlog"

	"github.com/nats-io/nkeys"
)

// Grant says for which institutions somebody may publish over NATS. Each has an
// account of its own on the server. Permissions alone would not do: a server
// does not check where a publisher wants its acknowledgement sent, and would
// write it as somebody else's action (ADR 21).
type Grant struct {
	Name         string
	Institutions []string
	Key          string // public; who has its seed is Name
}

// ParseGrant reads NAME=INSTITUTION[,INSTITUTION…].
func ParseGrant(text string) (Grant, error) {
	name, list, found := strings.Cut(text, "=")
	g := Grant{Name: strings.TrimSpace(name)}
	if !found {
		return g, fmt.Errorf("%q is not NAME=INSTITUTION[,INSTITUTION…]", text)
	}
	if !isPublisherName(g.Name) {
		return g, fmt.Errorf("%q is not the name of a publisher: 1 to 32 of a-z, 0-9 and -, but not %s or %s", g.Name, PublisherUser, serviceName)
	}
	for id := range strings.SplitSeq(list, ",") {
		if id = strings.TrimSpace(id); !actionlog.IsInstitutionID(id) || id == actionlog.PlatformLog {
			return g, fmt.Errorf("publisher %s: %q is not the ID of an institution", g.Name, id)
		}
		if !slices.Contains(g.Institutions, id) {
			g.Institutions = append(g.Institutions, id)
		}
	}
	return g, nil
}

// ParseGrants reads a list of them, in which no name comes twice.
func ParseGrants(texts []string) (grants []Grant, err error) {
	for _, text := range texts {
		g, err := ParseGrant(text)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(grants, func(other Grant) bool { return other.Name == g.Name }) {
			return nil, fmt.Errorf("publisher %s comes twice: name all its institutions at once", g.Name)
		}
		grants = append(grants, g)
	}
	return grants, nil
}

func isPublisherName(s string) bool {
	return s != "" && len(s) <= 32 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && s != PublisherUser && s != serviceName
}

// subjects are all that a publisher may publish to.
func (g Grant) subjects() (subjects []string) {
	for _, id := range g.Institutions {
		subjects = append(subjects, actionlog.SubjectPrefix+"."+id+".*")
	}
	return subjects
}

// account is the name of its account.
func (g Grant) account() string { return "PUBLISHER_" + g.Name }

// inboxes are where answers arrive; each account has its own.
const inboxes = "_INBOX.>"

// allActions are the subjects of the stream.
const allActions = actionlog.SubjectPrefix + ".*.*"

// SeedFile is the name of the file with the seed of a publisher or the service.
func SeedFile(dir, name string) string { return filepath.Join(dir, name+".nk") }

// EnsureSeed returns the public key of the seed in a file. Where there is no such
// file it makes one that only the owner may read.
func EnsureSeed(path string) (key string, made bool, err error) {
	seed, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		made = true
		seed, err = makeSeed(path)
	}
	if err != nil {
		return "", made, err
	}
	pair, err := nkeys.ParseDecoratedNKey(seed)
	if err != nil {
		return "", made, fmt.Errorf("%s holds no seed of an nkey", path) // what it holds is not for logs
	}
	defer pair.Wipe()
	if key, err = pair.PublicKey(); err == nil && !nkeys.IsValidPublicUserKey(key) {
		err = fmt.Errorf("%s holds a seed, but not of a user", path)
	}
	return key, made, err
}

func makeSeed(path string) ([]byte, error) {
	pair, err := nkeys.CreateUser()
	if err != nil {
		return nil, err
	}
	seed, err := pair.Seed()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".seed-*") // of mode 0600; it gets its name when it is whole
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(bytes.Clone(seed), '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Link(f.Name(), path) // not over one that is there
	}
	return seed, err
}

// EnsureSeeds fills in the keys of all grants from the seeds in a folder, and
// returns the files that it made.
func EnsureSeeds(dir string, grants []Grant) (made []string, err error) {
	for i := range grants {
		path := SeedFile(dir, grants[i].Name)
		key, isNew, err := EnsureSeed(path)
		if err != nil {
			return made, fmt.Errorf("publisher %s: %w", grants[i].Name, err)
		}
		if grants[i].Key = key; isNew {
			made = append(made, path)
		}
	}
	return made, nil
}
