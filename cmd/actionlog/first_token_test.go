package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"actionlog/internal/enginetest"
)

// TestFirstTokenOfACluster: services that share NATS servers have one first token, in the
// folder of the one that started first; another is made where that is asked for.
func TestFirstTokenOfACluster(t *testing.T) {
	t.Parallel()
	ports, err := enginetest.FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	f := &foreign{dir: t.TempDir(), port: ports[0]}
	f.start(t)
	defer f.stop()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte(natsPassword), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"--nats", fmt.Sprintf("nats://127.0.0.1:%d", f.port), "--nats-password-file", password, "--nats-durable", "--archive", "off"}
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
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/v1/institutions", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
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
