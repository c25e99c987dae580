package main

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestFirstTokenOfACluster: services that share NATS servers have one first token, in the
// folder of the one that started first; another is made where that is asked for.
func TestFirstTokenOfACluster(t *testing.T) {
	t.Parallel()
	f, nats := startForeign(t)
	defer f.stop()
	args := append(nats, "--archive", "off")
	first := t.TempDir()
	_, stop := startServing(t, first, args)
	defer stop()
	s := whenReady(t, first)
	second := t.TempDir()
	log, stopSecond := startServing(t, second, args)
	defer stopSecond()
	eventually(t, "the second says that there is a token", func() bool { return strings.Contains(log.String(), "--new-admin-token makes another") })
	var address string
	eventually(t, "the second answers", func() bool {
		text, err := os.ReadFile(filepath.Join(second, "http.addr"))
		address = strings.TrimSpace(string(text))
		return err == nil
	})
	if _, err := os.Stat(filepath.Join(second, "admin.token")); !os.IsNotExist(err) {
		t.Errorf("the second has a token of its own: %v", err)
	}
	resp := (&service{url: address, token: s.token}).do(t, "/v1/institutions")
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the first's token at the second: %s", resp.Status)
	}
	stopSecond()
	_, stopSecond = startServing(t, second, append(args, "--new-admin-token"))
	defer stopSecond()
	if s := whenReady(t, second); s.token == "" {
		t.Error("asked for, and not made")
	}
}
