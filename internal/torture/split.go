//go:build linux

package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// roles are the processes of a service that is split, besides the one that answers
// searches: two indexers share the work, and of two archivers one waits.
var roles = []string{"indexer", "indexer", "archiver", "archiver"}

// split makes several processes of the service, on a NATS server and an engine. common are
// the options of all of them.
func (s *session) split(dir string, common []string) error {
	common = slices.Concat(common, []string{"--archive", filepath.Join(s.service.dir, "archive"), "--archive-key", filepath.Join(s.service.dir, "archive.key")})
	s.service.args = append(s.service.args, "--role", "search")
	for i, role := range roles {
		part := newService(s.binary, filepath.Join(dir, role+string(rune('1'+i))), s.service.log, append(common, "--role", role)...)
		if err := os.MkdirAll(part.dir, 0o700); err != nil {
			return err
		}
		s.parts = append(s.parts, part)
	}
	return nil
}

// part chooses a process of a role.
func (s *session) part(role string) *service {
	var all []*service
	for i, r := range roles {
		if r == role {
			all = append(all, s.parts[i])
		}
	}
	return all[s.rng.IntN(len(all))]
}

// splitFaults are those of a service that is split.
func splitFaults() (all []fault) {
	for _, role := range []string{"indexer", "archiver"} {
		all = append(all,
			fault{"an " + role + " is killed", 4, func(ctx context.Context, s *session) error {
				sleep(ctx, s.between(30, 500))
				return s.anew(ctx, s.part(role), syscall.SIGKILL, "")
			}},
			fault{"an " + role + " is restarted", 1, func(ctx context.Context, s *session) error {
				sleep(ctx, s.between(30, 500))
				return s.anew(ctx, s.part(role), syscall.SIGTERM, "")
			}},
			fault{"an " + role + " stands still", 1, func(ctx context.Context, s *session) error {
				return s.still(ctx, &s.part(role).process, s.between(500, 8000))
			}})
	}
	return append(all,
		fault{"an indexer dies at a place", 4, func(ctx context.Context, s *session) error { return s.dies(ctx, s.part("indexer")) }},
		fault{"all are restarted in turn", 1, func(ctx context.Context, s *session) error {
			for _, p := range s.processes() {
				if err := s.anew(ctx, p, syscall.SIGTERM, ""); err != nil {
					return err
				}
			}
			return s.nats.again(syscall.SIGTERM)
		}})
}
