package search

import (
	"net/http"
	"strings"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// maxBuckets of a histogram.
const maxBuckets = 2000

func (s *server) histogram(c *gin.Context) {
	a, err := s.ask(c, nearAuto, "interval", "by")
	if err != nil {
		s.fail(c, err)
		return
	}
	interval, err := choice(a.values, "interval", "auto", "auto", "minute", "hour", "day", "week", "month")
	if err != nil {
		s.fail(c, err)
		return
	}
	by, err := choice(a.values, "by", "", "category", "outcome", "actor_kind", "channel")
	if err != nil {
		s.fail(c, err)
		return
	}
	edges, err := edgesOf(a.query.From, a.query.To, interval, a.zone)
	if err != nil {
		s.fail(c, err)
		return
	}
	buckets, err := s.Searcher.Histogram(c.Request.Context(), a.query, edges, actionlog.Field(by))
	if err == nil {
		err = s.reachedStill(c.Request.Context(), a)
	}
	if err == nil {
		err = s.countedWithout(c.Request.Context(), a)
	}
	if err == nil {
		err = s.counted(c, searchOf(c.Request.URL.Query()), len(buckets))
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	type bucket struct {
		From  string           `json:"from"`
		To    string           `json:"to"`
		Count int64            `json:"count"`
		By    map[string]int64 `json:"by,omitempty"`
	}
	data := make([]bucket, len(buckets))
	for i, b := range buckets {
		data[i] = bucket{b.From.In(a.zone).Format(time.RFC3339Nano), b.To.In(a.zone).Format(time.RFC3339Nano), b.Count, b.By}
	}
	a.meta.TookMS = s.Now().Sub(a.start).Milliseconds()
	c.JSON(http.StatusOK, gin.H{"data": data, "meta": a.meta})
}

// edgesOf cuts a range at the zone's minutes, hours, days, weeks (Monday) or months. The
// first and last bucket end with the range. A day of a clock change has 23 or
// 25 hours.
func edgesOf(from, to time.Time, interval string, zone *time.Location) ([]time.Time, error) {
	if interval == "auto" {
		switch span := to.Sub(from); {
		case span <= 2*time.Hour:
			interval = "minute"
		case span <= 3*24*time.Hour:
			interval = "hour"
		case span <= 120*24*time.Hour:
			interval = "day"
		default:
			interval = "month"
		}
	}
	edges := []time.Time{from}
	for at := from.In(zone); ; {
		at = nextEdge(at, interval)
		if !at.Before(to) {
			return append(edges, to), nil
		}
		if edges = append(edges, at); len(edges) > maxBuckets {
			return nil, actionlog.Invalidf("interval", "cuts the range into more than %d parts", maxBuckets)
		}
	}
}

func nextEdge(t time.Time, interval string) time.Time {
	y, m, d := t.Date()
	switch interval {
	case "minute":
		return t.Truncate(time.Second).Add(time.Duration(60-t.Second()) * time.Second)
	case "hour":
		return t.Truncate(time.Minute).Add(time.Duration(60-t.Minute()) * time.Minute)
	case "week":
		back := (int(t.Weekday()) + 6) % 7
		return time.Date(y, m, d-back+7, 0, 0, 0, 0, t.Location())
	case "month":
		return time.Date(y, m+1, 1, 0, 0, 0, 0, t.Location())
	}
	next := time.Date(y, m, d+1, 0, 0, 0, 0, t.Location())
	if !next.After(t) { // a zone that skipped a midnight
		next = time.Date(y, m, d+2, 0, 0, 0, 0, t.Location())
	}
	return next
}

var facetFields = []string{"category", "action", "outcome", "actor_kind", "channel", "request_method", "response_code",
	"request_content_type", "ip", "actor", "course", "class"}

func (s *server) facets(c *gin.Context) {
	a, err := s.ask(c, nearAuto, "field", "limit")
	if err != nil {
		s.fail(c, err)
		return
	}
	field, err := choice(a.values, "field", "", facetFields...)
	if err == nil && field == "" {
		err = actionlog.Invalidf("field", "is missing: one of %s", strings.Join(facetFields, ", "))
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	n, err := limit(a.values, 20, 1000)
	if err != nil {
		s.fail(c, err)
		return
	}
	facet, err := s.Searcher.Facet(c.Request.Context(), a.query, actionlog.Field(field), n)
	if err == nil {
		err = s.reachedStill(c.Request.Context(), a)
	}
	if err == nil {
		err = s.countedWithout(c.Request.Context(), a)
	}
	if err == nil {
		err = s.counted(c, searchOf(c.Request.URL.Query()), len(facet.Values))
	}
	if err != nil {
		s.fail(c, err)
		return
	}
	type value struct {
		Value string `json:"value"`
		Label string `json:"label,omitempty"`
		Count int64  `json:"count"`
	}
	data := make([]value, len(facet.Values))
	for i, v := range facet.Values {
		data[i] = value{v.Value, v.Label, v.Count}
		switch {
		case v.Staff:
			data[i].Value, data[i].Label = s.StaffDisplay, s.StaffDisplay
		case field == "actor" || field == "course" || field == "class":
			data[i].Value = filterText(v.Value)
		}
	}
	a.meta.Other, a.meta.Absent = &facet.Other, &facet.Missing
	a.meta.TookMS = s.Now().Sub(a.start).Milliseconds()
	c.JSON(http.StatusOK, gin.H{"data": data, "meta": a.meta})
}

// filterText turns a directory key into what the filter reads.
func filterText(key string) string {
	kind, rest, _ := strings.Cut(key, ":")
	switch kind {
	case "id":
		return key
	case "external":
		return "id:" + rest
	}
	return rest
}
