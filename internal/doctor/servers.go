package doctor

import (
	"fmt"
	"slices"
	"time"
)

// Stream is what is judged of NATS servers and the streams there.
type Stream struct {
	Server      string // version
	Servers     int    // that the connection knows of
	There       bool   // the stream is
	Bytes, Max  int64
	Wanted      int64 // limit that the service would set
	Replicas    int
	Lagging     []string // servers whose copy is not current
	Incarnation string
	Dead        uint64
	Clock       time.Duration
	Durable     bool   // somebody vouches
	Synced      string // what a server says of its syncs: "always", an interval, "" nothing
	Archive     bool   // there is to be one
	Consumers   map[string]Consumer
}

// Consumer is how far a consumer of the stream is.
type Consumer struct {
	Pending, InHand int64
	Again           int // messages that were delivered more than once
	Waiting         int // who asks for messages
}

// Stream judges NATS servers and the streams there.
func (r *Report) Stream(s *Stream) {
	r.OK("nats", "nats-server %s answers; %d of them are known", s.Server, max(1, s.Servers))
	r.Clock("nats clock", "the NATS server", s.Clock)
	r.synced(s)
	if !s.There {
		r.Warn("stream", "a first start of the service makes it", "the stream ACTIONS is not there")
		return
	}
	full := float64(s.Bytes) / float64(max(1, s.Max))
	const room = "see which consumer is behind (below); docs/runbook.md, ActionLogStreamFilling"
	switch about := "the stream (incarnation %s) is %s full"; {
	case full >= 0.85:
		r.Wrong("stream", room, about+": publishing is refused when it is full", s.Incarnation, percent(full))
	case full >= 0.70:
		r.Warn("stream", room, about, s.Incarnation, percent(full))
	default:
		r.OK("stream", about, s.Incarnation, percent(full))
	}
	if s.Wanted > 0 && s.Max != s.Wanted {
		r.Warn("stream limit", "start the service with these options, or leave --stream-max-bytes as it was", "the stream's limit is %d bytes, and --stream-max-bytes says %d", s.Max, s.Wanted)
	}
	switch {
	case len(s.Lagging) > 0:
		r.Warn("replicas", "look at these servers: one more that goes, and the stream stands", "copies of the stream are not current on %s", some(s.Lagging))
	case s.Servers >= 3 && s.Replicas < 3:
		r.Warn("replicas", "--nats-replicas 3", "%d of %d servers keep the stream: it stands, or is lost, with one of them", s.Replicas, s.Servers)
	default:
		r.OK("replicas", "%d of %d servers keep the stream", s.Replicas, max(1, s.Servers))
	}
	r.consumers(s)
	r.DeadLetters(s.Dead)
}

// synced judges whether what a server acknowledged survives a power failure.
func (r *Report) synced(s *Stream) {
	const set = "set jetstream { sync_interval: always } on every server (docs/nats.md)"
	switch {
	case s.Synced == "always":
		r.OK("sync", "the server syncs every write before it acknowledges it")
	case s.Synced != "":
		r.Wrong("sync", set, "the server syncs every %s: what it acknowledged since is lost when the power fails", s.Synced)
	case s.Durable:
		r.Skip("sync", "--nats-durable vouches that the servers sync every write; --nats-monitor URL asks one")
	default:
		r.Warn("sync", set+", and start the service with --nats-durable; --nats-monitor URL asks a server", "nobody vouches that the servers sync every write before they acknowledge it")
	}
}

func (r *Report) consumers(s *Stream) {
	for _, name := range []string{"indexer", "archiver"} {
		c, there := s.Consumers[name]
		check := "consumer " + name
		switch {
		case !there && name == "archiver" && !s.Archive:
		case !there:
			r.Warn(check, "start a process that is one (--role all or "+name+")", "there is none: nothing leaves the stream before it")
		case c.Pending+c.InHand > 0 && c.Waiting == 0: // what is in hand may be of one that was killed
			r.Wrong(check, "start a process that is one (--role all or "+name+")", "%d messages wait, and nobody asks for them", c.Pending+c.InHand)
		case c.Again > 1000:
			r.Warn(check, "its log says why they were not taken", "%d messages were delivered again", c.Again)
		default:
			r.OK(check, "%d messages wait, %d are in hand", c.Pending, c.InHand)
		}
	}
}

// DeadLetters judges how many wait for somebody.
func (r *Report) DeadLetters(n uint64) {
	if n > 0 {
		r.Warn("dead letters", "actionlog dead list", "%d actions could not be indexed and wait for somebody", n)
		return
	}
	r.OK("dead letters", "there are none")
}

// Engine is what is judged of a search engine.
type Engine struct {
	Version, Health   string
	Nodes, Unassigned int
	Shards, Most      int
	Clock             time.Duration
	Template, Wanted  int
	Policy            string
	Blocked, Missing  []string
	Disks             []Disk
	Unknown           map[string]error
}

// Disk is how full a node is.
type Disk struct {
	Node        string
	Used        float64
	High, Flood float64 // watermarks; 0: not known
}

// Engine judges a search engine.
func (r *Report) Engine(e *Engine) {
	unknown := func(check, part string) bool {
		err := e.Unknown[part]
		if err != nil {
			r.Skip(check, "the engine does not say: %v", err)
		}
		return err != nil
	}
	r.OK("engine", "%s answers", e.Version)
	if !unknown("engine health", "health") {
		r.health(e)
	}
	if !unknown("engine clock", "clock") {
		r.Clock("engine clock", "the engine", e.Clock)
	}
	if !unknown("engine template", "template") {
		r.template(e)
	}
	if !unknown("engine policy", "policy") {
		by := map[string]string{"ilm": "ILM", "ism": "ISM", "": "the service's own sweep"}[e.Policy]
		r.OK("engine policy", "days that are past their time go by %s", by)
	}
	if !unknown("engine blocks", "blocks") {
		if len(e.Blocked) > 0 {
			r.Wrong("engine blocks", "make room on the engine's disks; then, if it stays: PUT INDEX/_settings {\"index.blocks.read_only_allow_delete\": null}", "nobody can write to %s", some(e.Blocked))
		} else {
			r.OK("engine blocks", "all indices take writes")
		}
	}
	if !unknown("engine days", "days") {
		if len(e.Missing) > 0 {
			r.Wrong("engine days", "open it, bring its node back, or actionlog reindex DAY", "%s: searches that need it are answered 503", some(e.Missing))
		} else {
			r.OK("engine days", "every day can be asked")
		}
	}
	if !unknown("engine disks", "settings") {
		r.disks(e)
		r.shards(e)
	}
}

func (r *Report) health(e *Engine) {
	switch e.Health {
	case "red":
		r.Wrong("engine health", "GET _cluster/allocation/explain", "it is red: %d shards are nowhere, and some of them have no copy", e.Unassigned)
	case "yellow":
		r.Warn("engine health", "more nodes, or --engine-replicas 0 on a cluster of one", "it is yellow: %d copies of shards are nowhere", e.Unassigned)
	default:
		r.OK("engine health", "it is %s, on %d nodes", e.Health, e.Nodes)
	}
}

func (r *Report) template(e *Engine) {
	const check = "engine template"
	switch {
	case e.Template == 0:
		r.Warn(check, "a first start of the service makes it", "the template of days is not there")
	case e.Template > e.Wanted:
		r.Warn(check, "upgrade this program too", "the template of days is of a newer version (%d; this program knows %d)", e.Template, e.Wanted)
	case e.Template < e.Wanted:
		r.Warn(check, "start this version of the service: it brings it up to date", "the template of days is of version %d, not %d", e.Template, e.Wanted)
	default:
		r.OK(check, "the template of days is of version %d", e.Template)
	}
}

func (r *Report) disks(e *Engine) {
	var flooded, high []string
	for _, d := range e.Disks {
		text := d.Node + " " + percent(d.Used)
		switch {
		case d.Flood > 0 && d.Used >= d.Flood:
			flooded = append(flooded, text)
		case d.High > 0 && d.Used >= d.High-0.05:
			high = append(high, text)
		}
	}
	const do = "make room, or more nodes: beyond the flood-stage watermark the engine lets nobody write"
	switch {
	case len(flooded) > 0:
		r.Wrong("engine disks", do, "disks are beyond the flood stage: %s", some(flooded))
	case len(high) > 0:
		r.Warn("engine disks", do, "disks are near the high watermark: %s", some(high))
	case len(e.Disks) == 0:
		r.Skip("engine disks", "the engine does not say how full its disks are")
	default:
		fullest := slices.MaxFunc(e.Disks, func(a, b Disk) int { return int(1000 * (a.Used - b.Used)) })
		r.OK("engine disks", "the fullest is %s full", percent(fullest.Used))
	}
}

func (r *Report) shards(e *Engine) {
	about := fmt.Sprintf("%d of %d shards are open", e.Shards, e.Most)
	const do = "raise cluster.max_shards_per_node, more nodes, or fewer --engine-shards; at the limit no day can be made"
	switch {
	case e.Most == 0:
		r.Skip("engine shards", "the engine does not say how many shards may be open")
	case e.Shards*100 >= e.Most*95:
		r.Wrong("engine shards", do, "%s", about)
	case e.Shards*100 >= e.Most*80:
		r.Warn("engine shards", do, "%s", about)
	default:
		r.OK("engine shards", "%s", about)
	}
}
