package bus

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
)

// What stops an attack: permissions, or only that each publisher has an account of
// its own, or the configuration of the stream and how ids of messages are made.
const (
	permissions = iota
	accounts
	stream
)

type attack struct {
	name      string
	stoppedBy int
	do        func(t *testing.T, a *attacker) (learnt string)
}

// attacker is connected as registry.
type attacker struct {
	site *site
	nc   *nats.Conn
}

// publish publishes as registry; with a reply the acknowledgement is sent there.
func (a *attacker) publish(subject, reply, body string, header ...string) string {
	m := nats.NewMsg(subject)
	m.Reply, m.Data = reply, []byte(body)
	for i := 0; i < len(header); i += 2 {
		m.Header.Set(header[i], header[i+1])
	}
	if err := a.nc.PublishMsg(m); err != nil {
		return err.Error()
	}
	_ = a.nc.Flush() // a refusal shows in the picture
	return ""
}

func write(subject, body string, header ...string) func(*testing.T, *attacker) string {
	return func(_ *testing.T, a *attacker) string { return a.publish(subject, "", body, header...) }
}

// mine publishes where registry may, with headers.
func mine(header ...string) func(*testing.T, *attacker) string {
	return write("actions.kestrel.course", "{}", header...)
}

// reply has the acknowledgement of an action of its own sent to another subject.
func reply(subject string) func(*testing.T, *attacker) string {
	return func(_ *testing.T, a *attacker) string { return a.publish("actions.kestrel.course", subject, "{}") }
}

// ask asks, and has learnt something when there is an answer.
func ask(subject, body string) func(*testing.T, *attacker) string {
	return func(_ *testing.T, a *attacker) string {
		m, err := a.nc.Request(subject, []byte(body), a.site.patience)
		if err != nil {
			return ""
		}
		return string(m.Data)
	}
}

// listen subscribes, and has learnt something when it hears of library.
func listen(subject string) func(*testing.T, *attacker) string {
	return func(t *testing.T, a *attacker) string {
		sub, err := a.nc.SubscribeSync(subject)
		if err != nil {
			return ""
		}
		_ = a.nc.Flush()
		if err := a.site.victim(t, "overheard "+subject); err != nil {
			return err.Error()
		}
		m, err := sub.NextMsg(a.site.patience)
		if err != nil {
			return ""
		}
		return m.Subject + " " + string(m.Data)
	}
}

// consume makes a consumer that sends the stream to an inbox.
func consume(t *testing.T, a *attacker) string {
	sub, err := a.nc.SubscribeSync(nats.NewInbox())
	if err != nil {
		return ""
	}
	a.publish("$JS.API.CONSUMER.CREATE.ACTIONS", "", fmt.Sprintf(`{"stream_name":"ACTIONS","config":{"deliver_subject":%q,"ack_policy":"none","filter_subject":"actions.heron.*"}}`, sub.Subject))
	m, err := sub.NextMsg(a.site.patience)
	if err != nil {
		return ""
	}
	return string(m.Data)
}

// suppress publishes under the id that library's next message would have if it were
// made of what is known of an action.
func suppress(t *testing.T, a *attacker) string {
	next := heronAction("next")
	for _, id := range []string{(&Publisher{}).messageID(&next), "heron/next/" + hex.EncodeToString(next.Digest[:16])} {
		a.publish("actions.kestrel.course", "", "{}", nats.MsgIdHdr, id)
	}
	if err := a.site.victim(t, "next"); err != nil {
		return err.Error()
	}
	return ""
}

var attacks = []attack{
	{"write", permissions, write("actions.heron.course", `{"id":"forged"}`)},
	{"write in a batch", permissions, write("actions.heron.course", "{}", "Nats-Batch-Id", "b1", "Nats-Batch-Sequence", "1", "Nats-Batch-Commit", "1")},
	{"write by reply", accounts, reply("actions.heron.course")},
	{"write by trace", permissions, mine("Nats-Trace-Dest", "actions.heron.course")},
	{"write by schedule", stream, mine("Nats-Schedule", "@every 1s", "Nats-Schedule-Target", "actions.heron.course")},
	{"dead letter", permissions, write("dead.heron.invalid.s.1", "{}")},
	{"dead letter by reply", accounts, reply("dead.heron.invalid.s.2")},
	{"state", permissions, write("$KV.actionlog-state.kAAAA.kAAAA", "{}")},
	{"state by reply", accounts, reply("$KV.actionlog-state.kAAAA.kBBBB")},

	{"listen to actions", permissions, listen("actions.>")},
	{"listen to everything", permissions, listen(">")},
	{"listen to answers", accounts, listen("_INBOX.>")},
	{"listen to dead letters", permissions, func(t *testing.T, a *attacker) string {
		if sub, err := a.nc.SubscribeSync("dead.>"); err == nil {
			if _, err = sub.NextMsg(3 * time.Second); err == nats.ErrTimeout {
				return "may listen"
			}
		}
		return ""
	}},
	{"get a message", permissions, ask("$JS.API.STREAM.MSG.GET.ACTIONS", `{"seq":1}`)},
	{"get directly", permissions, ask("$JS.API.DIRECT.GET.ACTIONS.actions.heron.course", "")},
	{"get the state", permissions, ask("$JS.API.STREAM.INFO.KV_actionlog-state", "")},
	{"names of streams", permissions, ask("$JS.API.STREAM.NAMES", "")},
	{"consume", permissions, consume},
	{"take from the indexer", permissions, ask("$JS.API.CONSUMER.MSG.NEXT.ACTIONS.indexer", "1")},

	{"delete the stream", permissions, ask("$JS.API.STREAM.DELETE.ACTIONS", "")},
	{"delete a message", permissions, ask("$JS.API.STREAM.MSG.DELETE.ACTIONS", `{"seq":1}`)},
	{"purge", permissions, ask("$JS.API.STREAM.PURGE.ACTIONS", "")},
	{"purge an institution", permissions, ask("$JS.API.STREAM.PURGE.ACTIONS", `{"filter":"actions.heron.*"}`)},
	{"change the stream", permissions, ask("$JS.API.STREAM.UPDATE.ACTIONS", `{"name":"ACTIONS","subjects":["actions.*.*"],"storage":"file","retention":"limits","discard":"old","max_bytes":1048576,"num_replicas":1,"max_msgs":1}`)},
	{"delete the indexer", permissions, ask("$JS.API.CONSUMER.DELETE.ACTIONS.indexer", "")},
	{"pause the indexer", permissions, ask("$JS.API.CONSUMER.PAUSE.ACTIONS.indexer", `{"pause_until":"2100-01-01T00:00:00Z"}`)},
	{"purge by reply", stream, reply("$JS.API.STREAM.PURGE.ACTIONS")},
	{"delete by reply", stream, reply("$JS.API.STREAM.MSG.DELETE.ACTIONS")},
	{"acknowledge by reply", stream, reply("$JS.ACK.ACTIONS.indexer.1.1.1.1.0")},
	{"ask the system", stream, ask("$SYS.REQ.SERVER.PING", "")},

	{"suppress", stream, suppress},
	{"roll up", stream, mine("Nats-Rollup", "all")},
	{"let expire", stream, mine("Nats-TTL", "1s")},
	{"count", stream, mine("Nats-Incr", "+1")},
}
