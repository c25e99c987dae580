package search

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"actionlog"
)

// defaultRange is meant where no time is given.
const defaultRange = 7 * 24 * time.Hour

// time reads range, from, to and tz.
func (r *reading) time(values url.Values, f *filtered) error {
	zone, err := single(values, "tz")
	if err != nil {
		return err
	}
	f.zone = time.UTC
	if zone != "" {
		if f.zone, err = time.LoadLocation(zone); err != nil || strings.EqualFold(zone, "local") {
			return actionlog.Invalidf("tz", "%q is not a time zone as Europe/London", zone)
		}
	}
	span, err := single(values, "range")
	if err != nil {
		return err
	}
	from, err := single(values, "from")
	if err != nil {
		return err
	}
	to, err := single(values, "to")
	if err != nil {
		return err
	}
	if span != "" && (from != "" || to != "") {
		return actionlog.Invalidf("range", "cannot be combined with from and to")
	}
	return r.bounds(f, span, from, to)
}

func (r *reading) bounds(f *filtered, span, from, to string) (err error) {
	// Without an end, everything that may be kept: up to a day ahead.
	f.query.To = r.now.Add(actionlog.MaxAhead).Truncate(time.Millisecond).Add(time.Millisecond)
	switch {
	case span != "":
		days, ok := map[string]int{"7d": 7, "30d": 30, "90d": 90}[span]
		if !ok {
			return actionlog.Invalidf("range", "%q is not one of 7d, 30d, 90d", span)
		}
		f.query.From = r.now.Add(-time.Duration(days) * 24 * time.Hour)
	case from == "" && to == "":
		f.query.From, f.defaulted = r.now.Add(-defaultRange), true
	default:
		if from != "" {
			if f.query.From, err = instant(from, r.now, f.zone, false); err != nil {
				return named("from", err)
			}
		}
		if to != "" {
			if f.query.To, err = instant(to, r.now, f.zone, true); err != nil {
				return named("to", err)
			}
		}
		if from == "" {
			f.query.From = f.query.To.Add(-defaultRange)
			f.defaulted = true
		}
	}
	if !f.query.From.Before(f.query.To) {
		return actionlog.Invalidf("from", "is not before to")
	}
	return nil
}

var relative = regexp.MustCompile(`^now(?:([+-])(\d{1,6})([smhdw]))?$`)

var units = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour}

// instant reads RFC 3339, now-30d, or a date in the zone; a date that ends a
// range means the end of that day.
func instant(text string, now time.Time, zone *time.Location, end bool) (time.Time, error) {
	if m := relative.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi("0" + m[2])
		d := time.Duration(n) * units[m[3]]
		if m[1] == "-" {
			d = -d
		}
		return now.Add(d), nil
	}
	if t, err := time.ParseInLocation(time.DateOnly, text, zone); err == nil {
		if end {
			t = time.Date(t.Year(), t.Month(), t.Day()+1, 0, 0, 0, 0, zone)
		}
		return t, nil
	}
	// In a query "+" is a space: 2026-11-22T10:00:00+01:00 arrives so.
	t, err := time.Parse(time.RFC3339Nano, strings.Replace(strings.ToUpper(text), " ", "+", 1))
	if err != nil {
		return t, actionlog.Invalidf("", "%q is not a time as 2006-01-02T15:04:05Z, a date as 2006-01-02, now or now-30d", text)
	}
	return t, nil
}

// only refuses parameters of other names.
func only(values url.Values, names ...string) error {
	for name := range values {
		if !slices.Contains(names, name) {
			return actionlog.Invalidf(name, "is not a parameter of this call")
		}
	}
	return nil
}

// single reads a parameter that may be given once.
func single(values url.Values, name string) (string, error) {
	all := values[name]
	if len(all) > 1 {
		return "", actionlog.Invalidf(name, "is given more than once")
	}
	if len(all) == 0 {
		return "", nil
	}
	return strings.TrimSpace(all[0]), nil
}
