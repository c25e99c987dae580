package bus

import (
	"crypto/tls"
	"errors"

	"github.com/nats-io/nats-server/v2/server"
)

// admit says who may connect to the server in the process. The service is in
// the global account, with the streams; each publisher in one of its own.
func (p *process) admit(opts *server.Options) error {
	global := server.NewAccount(server.DEFAULT_GLOBAL_ACCOUNT)
	opts.Accounts = []*server.Account{global}
	opts.Users = []*server.User{{Username: "internal", Password: p.password, Account: global}}
	err := global.AddServiceExport(allActions, nil)
	account := func(name string, subjects []string) (*server.Account, *server.Permissions) {
		a := server.NewAccount(name)
		for _, s := range subjects {
			err = errors.Join(err, a.AddServiceImport(global, s, s))
		}
		opts.Accounts = append(opts.Accounts, a)
		return a, &server.Permissions{
			Publish:   &server.SubjectPermission{Allow: subjects},
			Subscribe: &server.SubjectPermission{Allow: []string{inboxes}},
		}
	}
	if p.options.PublisherPassword != "" {
		a, permissions := account(PublisherUser, []string{allActions})
		opts.Users = append(opts.Users, &server.User{Username: PublisherUser, Password: p.options.PublisherPassword, Account: a, Permissions: permissions})
	}
	for _, g := range p.options.Publishers {
		a, permissions := account(g.account(), g.subjects())
		opts.Nkeys = append(opts.Nkeys, &server.NkeyUser{Nkey: g.Key, Account: a, Permissions: permissions})
	}
	return err
}

// secure has publishers connect with TLS.
func (o *Options) secure(opts *server.Options) error {
	if o.TLSCert == "" {
		return nil
	}
	certificate, err := tls.LoadX509KeyPair(o.TLSCert, o.TLSKey)
	opts.TLSConfig = &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	opts.TLSTimeout = 5
	return err
}
