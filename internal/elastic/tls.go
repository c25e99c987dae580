package elastic

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// trusting is a configuration that trusts these authorities and no others.
func trusting(pem []byte) (*tls.Config, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("holds no certificate")
	}
	return &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}, nil
}
