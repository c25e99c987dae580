package bus

import (
	"fmt"
	"io"
	"strings"
)

// serviceName is the user that the service is on a foreign server.
const serviceName = "service"

// ServiceSeed is the file with the seed of the service.
func ServiceSeed(dir string) string { return SeedFile(dir, serviceName) }

// ServerConfig is what a foreign nats-server needs to know.
type ServerConfig struct {
	Listen        string // host:port
	Store         string // folder of JetStream
	Cert, Key, CA string // TLS, PEM files; none: no TLS
	VerifyClients bool   // clients need a certificate of CA
	Service       string // public key of the service
	Publishers    []Grant
}

// rights are the subjects that a user may use.
type rights struct{ publish, subscribe []string }

// serviceRights are all that the service needs, whatever its role. A test holds
// that it needs each of them.
var serviceRights = rights{
	publish: []string{
		allActions, "dead.*.*.*.*",
		"$JS.API.STREAM.INFO.ACTIONS", "$JS.API.STREAM.CREATE.ACTIONS", "$JS.API.STREAM.UPDATE.ACTIONS", // limits are kept up to date
		"$JS.API.STREAM.INFO.DEAD", "$JS.API.STREAM.CREATE.DEAD", "$JS.API.STREAM.UPDATE.DEAD",
		"$JS.API.INFO", "$JS.API.STREAM.INFO.KV_actionlog-state", "$JS.API.STREAM.CREATE.KV_actionlog-state",
		"$JS.API.STREAM.PURGE.ACTIONS", "$JS.API.DIRECT.GET.ACTIONS", // trimming, positions
		"$JS.API.STREAM.MSG.GET.DEAD", "$JS.API.STREAM.MSG.DELETE.DEAD",
		"$JS.API.CONSUMER.INFO.ACTIONS.*", "$JS.API.CONSUMER.CREATE.ACTIONS.>", "$JS.API.CONSUMER.DELETE.ACTIONS.*", "$JS.API.CONSUMER.LEADER.STEPDOWN.ACTIONS.indexer",
		"$JS.API.CONSUMER.MSG.NEXT.ACTIONS.*", "$JS.ACK.ACTIONS.>",
		"$KV.actionlog-state.>", "$JS.API.DIRECT.GET.KV_actionlog-state.>",
		"$JS.API.CONSUMER.CREATE.KV_actionlog-state.>", "$JS.API.CONSUMER.DELETE.KV_actionlog-state.*", // listing keys
	},
	subscribe: []string{inboxes},
}

// WriteTo writes the configuration. There is no secret in it.
func (c ServerConfig) WriteTo(w io.Writer) (int64, error) {
	var b strings.Builder
	fmt.Fprintf(&b, `# Configuration of a nats-server for Action Log, made by "actionlog nats-config".
# docs/nats.md says what each part is for. There are public keys in it, and no secret.

server_name: actionlog
listen: %q
max_payload: 2MB          # documents of 256 KiB, and larger ones become dead letters
max_connections: 4096
max_subscriptions: 1024   # of one connection

jetstream {
  store_dir: %q
  sync_interval: always   # an acknowledged action survives a power failure
}
`, c.Listen, c.Store)
	c.writeTLS(&b)
	fmt.Fprintf(&b, `
system_account: SYS
accounts {
  SYS {}

  # The service. Publishers reach nothing of it but the subjects that they import below.
  ACTIONLOG {
    jetstream: enabled
    exports: [ {service: %q} ]
    users: [ %s ]
  }
`, allActions, userOf(c.Service, serviceRights))
	for _, g := range c.Publishers {
		g.write(&b)
	}
	b.WriteString("}\n")
	n, err := io.WriteString(w, b.String())
	return int64(n), err
}

func (c ServerConfig) writeTLS(b *strings.Builder) {
	if c.Cert == "" {
		return
	}
	fmt.Fprintf(b, "\ntls {\n  cert_file: %q\n  key_file: %q\n", c.Cert, c.Key)
	if c.CA != "" {
		fmt.Fprintf(b, "  ca_file: %q\n", c.CA)
	}
	if c.VerifyClients {
		b.WriteString("  verify: true            # clients need a certificate of ca_file, besides their key\n")
	}
	b.WriteString("  min_version: \"1.2\"\n  timeout: 5\n}\n")
}

// write writes an account for the publisher alone.
func (g Grant) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n  %q {\n    limits { max_connections: 64 }\n    imports: [\n", g.account())
	for _, s := range g.subjects() {
		fmt.Fprintf(b, "      {service: {account: ACTIONLOG, subject: %q}}\n", s)
	}
	fmt.Fprintf(b, "    ]\n    users: [ %s ]\n  }\n", userOf(g.Key, rights{g.subjects(), []string{inboxes}}))
}

func userOf(key string, r rights) string {
	return fmt.Sprintf("{nkey: %s, permissions: {\n        publish: {allow: [%s]}\n        subscribe: {allow: [%s]}\n    }}", key, quoted(r.publish), quoted(r.subscribe))
}

func quoted(list []string) string {
	var b strings.Builder
	for _, s := range list {
		fmt.Fprintf(&b, "\n          %q", s)
	}
	return b.String() + "\n        "
}
