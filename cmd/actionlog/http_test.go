package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// writeCertificate makes a certificate for 127.0.0.1 with a serial number.
func writeCertificate(t *testing.T, dir string, serial int64) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: raw}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		later := time.Now().Add(time.Duration(serial) * time.Second) // files systems may count in seconds
		if err := os.Chtimes(path, later, later); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// A certificate that is renewed is served without a restart; half of one, or none, leaves
// the one before.
func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	c, err := loadCertificate(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), slog.New(slog.DiscardHandler))
	if err == nil {
		t.Fatal("no certificate is no error")
	}
	cert, key := writeCertificate(t, dir, 1)
	if c, err = loadCertificate(cert, key, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	served := func() int64 {
		t.Helper()
		c.checked = time.Time{} // the time to look again has come
		pair, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	if n := served(); n != 1 {
		t.Errorf("%d", n)
	}
	writeCertificate(t, dir, 2)
	if n := served(); n != 2 {
		t.Errorf("renewed: %d", n)
	}
	if err := os.WriteFile(key, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	if n := served(); n != 2 {
		t.Errorf("half of it: %d", n)
	}
	writeCertificate(t, dir, 3)
	if n := served(); n != 3 {
		t.Errorf("whole again: %d", n)
	}
}

// Over TLS: nothing older than 1.2, HSTS, and cookies that are this host's alone.
func TestHeadersOverTLS(t *testing.T) {
	cert, key := writeCertificate(t, t.TempDir(), 1)
	dir := t.TempDir()
	roots := x509.NewCertPool()
	text, err := os.ReadFile(cert)
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatal(err)
	}
	_, stop := startServing(t, dir, []string{"--tls-cert", cert, "--tls-key", key})
	defer stop()
	var address string
	eventually(t, "it listens", func() bool {
		text, err := os.ReadFile(filepath.Join(dir, "http.addr"))
		address = string(text)
		return err == nil
	})
	client := func(most uint16) *http.Client {
		return &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS10, MaxVersion: most}}, Timeout: time.Minute}
	}
	url := address[:len(address)-1]
	resp, err := client(tls.VersionTLS12).Get(url + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	for _, name := range []string{"Strict-Transport-Security", "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "X-Frame-Options", "Cache-Control", "X-Request-Id"} {
		if resp.Header.Get(name) == "" {
			t.Errorf("no %s", name)
		}
	}
	if _, err := client(tls.VersionTLS11).Get(url + "/healthz"); err == nil {
		t.Error("TLS 1.1 is taken")
	}
}
