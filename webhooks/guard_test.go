package webhooks

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"actionlog"
	"actionlog/internal/storetest"
)

// Nothing is sent to an address inside, however it is written, unless it is allowed.
func TestPermitted(t *testing.T) {
	for text, want := range map[string]bool{
		"93.184.215.14": true, "8.8.8.8": true, "2606:2800:21f:cb07:6820:80da:af6b:8b2c": true, "::ffff:8.8.8.8": true, "172.32.0.1": true, "192.0.1.1": true,
		"127.0.0.1": false, "127.8.9.1": false, "0.0.0.0": false, "0.1.2.3": false, "10.0.0.1": false, "172.16.3.4": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false,
		"224.0.0.1": false, "255.255.255.255": false, "240.0.0.1": false, "198.18.0.1": false, "203.0.113.9": false, "192.0.0.8": false,
		"::": false, "::1": false, "::ffff:127.0.0.1": false, "::ffff:169.254.169.254": false, "fe80::1": false, "fe80::1%eth0": false, "fc00::1": false, "fd12::1": false, "ff02::1": false, "64:ff9b::7f00:1": false, "2002:7f00:1::1": false, "fec0::1": false, "2001:db8::1": false, "2001::1": false,
	} {
		a := netip.MustParseAddr(text)
		if got := permitted(a, nil); got != want {
			t.Errorf("%s is permitted: %v", text, got)
		}
	}
	allowed := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}
	if !permitted(netip.MustParseAddr("10.1.2.3"), allowed) || permitted(netip.MustParseAddr("10.2.2.3"), allowed) || !permitted(netip.MustParseAddr("::ffff:10.1.2.3"), allowed) {
		t.Error("what is allowed is not what is permitted")
	}
}

// A client looks at the address to which it is about to connect, and follows nobody.
func TestGuarded(t *testing.T) {
	asked := 0
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		http.Redirect(w, r, "http://127.0.0.1:1/", http.StatusTemporaryRedirect)
	}))
	defer inside.Close()
	for _, address := range []string{inside.URL, strings.Replace(inside.URL, "127.0.0.1", "localhost", 1), strings.Replace(inside.URL, "127.0.0.1", "[::ffff:127.0.0.1]", 1), strings.Replace(inside.URL, "127.0.0.1", "2130706433", 1)} {
		v := send(t.Context(), guarded(nil), address, "msg_1", time.Now(), []byte("{}"), []byte("secret"))
		if v.taken || asked > 0 {
			t.Errorf("%s: %+v, asked %d times", address, v, asked)
		}
	}
	v := send(t.Context(), guarded([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}), inside.URL, "msg_1", time.Now(), []byte("{}"), []byte("secret"))
	if v.taken || asked != 1 || !strings.Contains(v.why, "307") {
		t.Errorf("a redirect: %+v, asked %d times", v, asked)
	}
	if strings.Contains(v.why, inside.URL) {
		t.Errorf("the address is told: %s", v.why)
	}
}

// What cannot be sent to is refused, and where it is wrong.
func TestCreateRefuses(t *testing.T) {
	d := &Desk{State: storetest.NewState(), Key: make([]byte, 32), Start: (&tape{}).start, Clean: func(s string) bool { return !strings.Contains(s, "api_key=") }}
	good := actionlog.Webhook{Institution: "uni", Name: "SIEM", URL: "https://siem.example.org/x"}
	for pointer, change := range map[string]func(w *actionlog.Webhook){
		"/name": func(w *actionlog.Webhook) { w.Name = " " }, "/events": func(w *actionlog.Webhook) { w.Events = "x" }, "/per_message": func(w *actionlog.Webhook) { w.PerMessage = 101 },
		"/filter": func(w *actionlog.Webhook) {
			w.Events, w.Filter = actionlog.WebhookAlerts, map[string][]string{"outcome": {"failure"}}
		},
	} {
		w := good
		change(&w)
		var invalid *actionlog.InvalidError
		if _, _, err := d.Create(t.Context(), w, time.Time{}); !errors.As(err, &invalid) || invalid.Field != pointer {
			t.Errorf("%s: %v", pointer, err)
		}
	}
	for _, url := range []string{"", "siem.example.org", "ftp://siem.example.org", "https://", "https://user:pass@siem.example.org", "https://siem.example.org/?api_key=123", "https://siem.example.org/#x", "https://x/" + strings.Repeat("x", maxURL)} {
		w := good
		w.URL = url
		var invalid *actionlog.InvalidError
		if _, _, err := d.Create(t.Context(), w, time.Time{}); !errors.As(err, &invalid) || invalid.Field != "/url" {
			t.Errorf("%q: %v", url, err)
		}
	}
	for range maxWebhooks {
		if _, _, err := d.Create(t.Context(), good, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := d.Create(t.Context(), good, time.Time{}); !errors.Is(err, actionlog.ErrConflict) {
		t.Errorf("one too many: %v", err)
	}
	other := good
	other.Institution = "other"
	if _, _, err := d.Create(t.Context(), other, time.Time{}); err != nil {
		t.Errorf("of another institution: %v", err)
	}
	for _, id := range []string{"x", "", "../x", "other." + "x"} {
		if _, _, err := d.Get(context.Background(), "uni", id); !errors.Is(err, actionlog.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}
