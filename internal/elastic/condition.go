package elastic

import (
	"context"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"actionlog"
	"actionlog/mappings"
)

// Condition is how a cluster says that it is, and what is there of what the service
// needs. What it does not say, because it may not or because it is another version, is in
// Unknown, with the reason; the fields of it are zero.
type Condition struct {
	Version    string
	Health     string        // green, yellow or red
	Nodes      int           // that keep data
	Unassigned int           // shards
	Shards     int           // that are open, replicas included
	Most       int           // shards that may be open; 0: not known
	Clock      time.Duration // how far its clock is ahead of ours, to about what an answer takes
	Template   int           // version of the days' template; 0: there is none
	Wanted     int           // version that this program installs
	Policy     string        // "ilm" or "ism", where its policy is installed
	Blocked    []string      // indices of ours that take no writes, each with its block
	Missing    []string      // days that cannot be asked
	Days       []actionlog.Day
	Disks      []Disk
	Unknown    map[string]error
}

// Disk is how full a node is, and from where on the engine does something about it.
type Disk struct {
	Node        string
	Used        float64 // of 1
	High, Flood float64 // watermarks of 1; 0: not known
}

// Look asks a cluster how it is and changes nothing there.
func Look(ctx context.Context, o Options) (*Condition, error) {
	c, err := dial(ctx, &o)
	if err != nil {
		return nil, err
	}
	return (&Store{client: c, prefix: o.Prefix, now: time.Now}).Condition(ctx)
}

// Condition asks the cluster how it is.
func (s *Store) Condition(ctx context.Context) (*Condition, error) {
	c := &Condition{Version: s.client.version, Wanted: mappings.Version, Unknown: map[string]error{}}
	for _, part := range []struct {
		name string
		ask  func(context.Context, *Condition) error
	}{
		{"health", s.askHealth}, {"clock", s.askClock}, {"template", s.askTemplate}, {"policy", s.askPolicy}, {"blocks", s.askBlocks},
		{"days", s.askDays}, {"settings", s.askSettings},
	} {
		err := part.ask(ctx, c)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("engine: %w: %w", ctx.Err(), actionlog.ErrUnavailable)
		}
		if err != nil {
			c.Unknown[part.name] = err
		}
	}
	return c, nil
}

func (s *Store) askHealth(ctx context.Context, c *Condition) error {
	var a struct {
		Status     string
		Data       int `json:"number_of_data_nodes"`
		Unassigned int `json:"unassigned_shards"`
		Active     int `json:"active_shards"`
	}
	err := s.client.call(ctx, http.MethodGet, "/_cluster/health", nil, nil, &a)
	c.Health, c.Nodes, c.Unassigned, c.Shards = a.Status, a.Data, a.Unassigned, a.Active+a.Unassigned
	return err
}

func (s *Store) askClock(ctx context.Context, c *Condition) error {
	var a struct {
		Timestamp int64 // milliseconds
	}
	asked := time.Now()
	err := s.client.call(ctx, http.MethodGet, "/_cluster/stats", url.Values{"filter_path": {"timestamp"}}, nil, &a)
	answered := time.Now()
	if err == nil && a.Timestamp == 0 {
		err = fmt.Errorf("it does not say what time it is")
	}
	if err != nil {
		return err
	}
	switch at := time.UnixMilli(a.Timestamp); { // somewhere between the question and the answer it was so late
	case at.Before(asked.Truncate(time.Millisecond)):
		c.Clock = at.Sub(asked)
	case at.After(answered):
		c.Clock = at.Sub(answered)
	}
	return nil
}

func (s *Store) askTemplate(ctx context.Context, c *Condition) error {
	version, err := s.templateVersion(ctx, s.prefix+"actionlog-actions")
	c.Template = version
	return err
}

func (s *Store) askPolicy(ctx context.Context, c *Condition) error {
	by, path := RetentionILM, ilmPath
	if s.client.openES {
		by, path = RetentionISM, ismPath
	}
	err := s.client.call(ctx, http.MethodGet, path, nil, nil, nil)
	if err == nil {
		c.Policy = string(by)
	}
	if hasStatus(err, http.StatusNotFound) || hasStatus(err, http.StatusBadRequest) || hasStatus(err, http.StatusMethodNotAllowed) {
		return nil // the sweep drops days
	}
	return err
}

// askBlocks looks which of our indices take no writes. Read-only after a full disk is
// index.blocks.read_only_allow_delete.
func (s *Store) askBlocks(ctx context.Context, c *Condition) error {
	var a map[string]struct{ Settings map[string]string }
	query := url.Values{"flat_settings": {"true"}, "expand_wildcards": {"all"}, "ignore_unavailable": {"true"}, "allow_no_indices": {"true"}}
	ours := strings.Join([]string{s.allDays(), s.prefix + rebuiltName + "*", s.directoryIndex(), s.wordsIndex()}, ",")
	err := s.client.call(ctx, http.MethodGet, "/"+ours+"/_settings/index.blocks.*", query, nil, &a)
	if err != nil && !hasStatus(err, http.StatusNotFound) {
		return err
	}
	for _, index := range slices.Sorted(maps.Keys(a)) {
		for _, block := range []string{"read_only", "read_only_allow_delete", "write"} {
			if a[index].Settings["index.blocks."+block] == "true" {
				c.Blocked = append(c.Blocked, index+" ("+block+")")
				break
			}
		}
	}
	return nil
}

func (s *Store) askDays(ctx context.Context, c *Condition) error {
	infos, err := s.listDays(ctx)
	for _, i := range infos {
		if d, ok := s.dayOf(i.Index); ok && i.Docs != "0" {
			c.Days = append(c.Days, d)
		}
		if why := damage(i); why != "" {
			c.Missing = append(c.Missing, "the index "+i.Index+" "+why)
		}
	}
	slices.Sort(c.Missing)
	return err
}

// askSettings reads the limits of the cluster, and how full its nodes are.
func (s *Store) askSettings(ctx context.Context, c *Condition) error {
	var a map[string]map[string]any
	if err := s.client.call(ctx, http.MethodGet, "/_cluster/settings", url.Values{"flat_settings": {"true"}, "include_defaults": {"true"}}, nil, &a); err != nil {
		return err
	}
	setting := func(name string) string {
		for _, level := range []string{"transient", "persistent", "defaults"} {
			if v, ok := a[level][name]; ok {
				return fmt.Sprint(v)
			}
		}
		return ""
	}
	if each, err := strconv.Atoi(setting("cluster.max_shards_per_node")); err == nil {
		c.Most = each * c.Nodes
	}
	var stats struct {
		Nodes map[string]struct {
			Name string
			FS   struct {
				Total struct {
					Total     float64 `json:"total_in_bytes"`
					Available float64 `json:"available_in_bytes"`
				}
			}
		}
	}
	err := s.client.call(ctx, http.MethodGet, "/_nodes/stats/fs", url.Values{"filter_path": {"nodes.*.name,nodes.*.fs.total"}}, nil, &stats)
	high, flood := setting("cluster.routing.allocation.disk.watermark.high"), setting("cluster.routing.allocation.disk.watermark.flood_stage")
	for _, id := range slices.Sorted(maps.Keys(stats.Nodes)) {
		n := stats.Nodes[id]
		if total := n.FS.Total.Total; total > 0 {
			c.Disks = append(c.Disks, Disk{n.Name, 1 - n.FS.Total.Available/total, watermark(high, total), watermark(flood, total)})
		}
	}
	return err
}

// watermark reads a watermark, of a disk of so many bytes: a share that may be used, as 85%
// or 0.85, or what must stay free, as 500mb. 0 where it is neither.
func watermark(text string, total float64) float64 {
	if percent, ok := strings.CutSuffix(text, "%"); ok {
		f, _ := strconv.ParseFloat(percent, 64)
		return f / 100
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && f <= 1 {
		return f
	}
	for i, unit := range []string{"kb", "mb", "gb", "tb", "pb", "b"} {
		number, ok := strings.CutSuffix(strings.ToLower(text), unit)
		if f, err := strconv.ParseFloat(number, 64); ok && err == nil {
			return max(0, 1-f*math.Pow(1024, float64((i+1)%6))/total)
		}
	}
	return 0
}
