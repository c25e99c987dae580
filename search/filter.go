package search

import (
	"cmp"
	"context"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"actionlog"
	"actionlog/internal/people"
)

// filters is the only place that says what a filter of the API means: how its
// values are read, and which field of a query they ask for.
var filters = map[string]filter{
	"category":             {field: actionlog.FieldCategory, list: true, read: readCategory},
	"action":               {field: actionlog.FieldAction, list: true, read: readText},
	"outcome":              {field: actionlog.FieldOutcome, list: true, read: oneOf("success", "failure", "unknown")},
	"actor_kind":           {field: actionlog.FieldActorKind, list: true, read: oneOf("user", "staff", "api_key", "system", "anonymous")},
	"channel":              {field: actionlog.FieldChannel, list: true, read: readText},
	"request_method":       {field: actionlog.FieldMethod, list: true, read: readMethod},
	"response_code":        {field: actionlog.FieldCode, list: true, read: readCode},
	"response_url":         {field: actionlog.FieldURL, read: readText},
	"request_content_type": {field: actionlog.FieldContentType, read: readMediaType},
	"any":                  {field: actionlog.FieldAny, read: readWords},
	"ip":                   {field: actionlog.FieldIP, list: true, read: readPrefix},
	"batch":                {field: actionlog.FieldBatch, read: readText},
	"request_id":           {field: actionlog.FieldRequestID, read: readText},
	"user":                 {kind: actionlog.DirectoryPeople}, // the field depends on user_role
	"actor":                {field: actionlog.FieldActor, kind: actionlog.DirectoryPeople},
	"target":               {field: actionlog.FieldTarget, kind: actionlog.DirectoryPeople},
	"on_behalf_of":         {field: actionlog.FieldOnBehalfOf, kind: actionlog.DirectoryPeople},
	"course":               {field: actionlog.FieldCourse, kind: actionlog.DirectoryCourses},
	"class":                {field: actionlog.FieldClass, kind: actionlog.DirectoryClasses},
}

// filter is how a parameter becomes a clause. One of read and kind is set.
type filter struct {
	field actionlog.Field
	list  bool // values may be separated by commas
	read  func(text string) (actionlog.Value, error)
	// kind is the directory that resolves a value.
	kind actionlog.DirectoryKind
}

// judge says what is wrong with a value without its sign, and asks no directory.
func (f filter) judge(text string) (err error) {
	if text == "" {
		return actionlog.Invalidf("", "has a - and nothing to exclude")
	}
	if f.kind != "" {
		_, err = lookups(text, f.kind)
	} else {
		_, err = f.read(text)
	}
	return err
}

// settings are parameters that belong to filters and are no clauses.
var settings = []string{"range", "from", "to", "tz", "user_role", "near", "missing_days"}

// roles of user_role.
var roles = map[string]actionlog.Field{"any": actionlog.FieldPerson, "actor": actionlog.FieldActor,
	"target": actionlog.FieldTarget, "on_behalf_of": actionlog.FieldOnBehalfOf}

// filtered is what the filters of a request say.
type filtered struct {
	query   actionlog.Query
	zone    *time.Location
	matched []matched
	widened []bool // see reading
	// defaulted: no time was given, so that the last 7 days are meant.
	defaulted bool
}

// What near says of names that are near: that they are searched where there is no
// exact one, always, never.
const nearAuto, nearInclude, nearExclude = "auto", "include", "exclude"

// sought is a value that the directory resolves.
type sought struct {
	param, text string
	not         bool // it is excluded
	meant       bool // somebody or something is meant exactly
}

// reading turns parameters into a query.
type reading struct {
	directory   actionlog.Directory // nil: values are judged only, and those that it would resolve make no clause
	institution string
	staff       actionlog.StaffView
	display     string // name of the platform's staff
	now         time.Time
	missingDays bool   // an answer may do without days that cannot be asked
	later       bool   // a later page of a list: nobody is offered any more
	near        string // nearAuto, nearInclude, nearExclude
	decided     []bool // for which values near names are searched, as an earlier page decided
	widened     []bool // for which values they are
	matched     []matched
}

// read reads all filters. own are the parameters of the call that are not
// filters; any other name is refused.
func (r *reading) read(ctx context.Context, values url.Values, own ...string) (filtered, error) {
	f := filtered{query: actionlog.Query{Institution: r.institution, Staff: r.staff}}
	names := make([]string, 0, len(values))
	for name := range values {
		if _, known := filters[name]; !known && !slices.Contains(settings, name) && !slices.Contains(own, name) {
			return f, actionlog.Invalidf(name, "is not a parameter of this call")
		}
		names = append(names, name)
	}
	slices.Sort(names)
	var err error
	if err = r.time(values, &f); err != nil {
		return f, err
	}
	role, err := choice(values, "user_role", "any", "any", "actor", "target", "on_behalf_of")
	if err != nil {
		return f, err
	}
	if r.near, err = choice(values, "near", cmp.Or(r.near, nearAuto), nearAuto, nearInclude, nearExclude); err != nil {
		return f, err
	}
	missing, err := choice(values, "missing_days", "refuse", "refuse", "allow")
	if err != nil {
		return f, err
	}
	f.query.MissingDays = missing == "allow"
	r.missingDays = f.query.MissingDays
	for _, name := range names {
		spec, ok := filters[name]
		if !ok {
			continue
		}
		if name == "user" {
			spec.field = roles[role]
		}
		clauses, err := r.clauses(ctx, name, spec, values[name])
		if err != nil {
			return f, err
		}
		f.query.Clauses = append(f.query.Clauses, clauses...)
	}
	f.matched, f.widened = r.matched, r.widened
	return f, nil
}

// clauses makes at most two: what must be, and what must not.
func (r *reading) clauses(ctx context.Context, name string, spec filter, texts []string) (clauses []actionlog.Clause, err error) {
	wanted := actionlog.Clause{Field: spec.field}
	unwanted := actionlog.Clause{Field: spec.field, Not: true}
	for _, text := range split(texts, spec.list) {
		text, not := signed(text)
		if spec.list {
			text = strings.ReplaceAll(text, `\,`, ",")
		}
		into := &wanted
		if not {
			into = &unwanted
		}
		if err := spec.judge(text); err != nil {
			return nil, named(name, err)
		}
		var found []actionlog.Value
		switch {
		case spec.kind == "":
			var v actionlog.Value
			v, err = spec.read(text)
			found = []actionlog.Value{v}
		case r.directory != nil:
			found, err = r.look(ctx, spec.kind, sought{param: name, text: text, not: not})
		}
		if err != nil {
			return nil, named(name, err)
		}
		into.Values = append(into.Values, found...)
	}
	for _, c := range []actionlog.Clause{wanted, unwanted} {
		if len(c.Values) > 0 {
			clauses = append(clauses, c)
		}
	}
	return clauses, nil
}

// signed reads what stands before a value: - excludes, \- is a literal minus.
func signed(text string) (value string, not bool) {
	if strings.HasPrefix(text, `\-`) {
		return text[1:], false
	}
	value, not = strings.CutPrefix(text, "-")
	return strings.TrimSpace(value), not
}

// split cuts lists at commas and leaves empty values out: "course=" is no filter. A
// comma after a backslash is a literal one, and stays so written.
func split(texts []string, list bool) (values []string) {
	for _, text := range texts {
		if !list {
			text = strings.TrimSpace(text)
			if text != "" {
				values = append(values, text)
			}
			continue
		}
		for rest := []rune(text); len(rest) > 0; {
			end := untilComma(rest)
			if part := strings.TrimSpace(string(rest[:end])); part != "" {
				values = append(values, part)
			}
			rest = rest[min(end+1, len(rest)):]
		}
	}
	return values
}

// untilComma returns where a comma separates, or the length.
func untilComma(text []rune) int {
	for i, r := range text {
		if r == ',' && (i == 0 || text[i-1] != '\\') {
			return i
		}
	}
	return len(text)
}

// named puts the parameter's name into an error about its value.
func named(param string, err error) error {
	if invalid, ok := err.(*actionlog.InvalidError); ok && invalid.Field == "" {
		return invalid.At(param)
	}
	return err
}

// choice reads a parameter with few values.
func choice(values url.Values, name, usual string, allowed ...string) (string, error) {
	all := values[name]
	if len(all) == 0 || len(all) == 1 && all[0] == "" {
		return usual, nil
	}
	if len(all) > 1 {
		return "", actionlog.Invalidf(name, "is given more than once")
	}
	if !slices.Contains(allowed, all[0]) {
		return "", actionlog.Invalidf(name, "%q is not one of %s", all[0], strings.Join(allowed, ", "))
	}
	return all[0], nil
}

func readText(text string) (actionlog.Value, error) { return actionlog.Value{Text: text}, nil }

func readCategory(text string) (actionlog.Value, error) {
	c, ok := actionlog.ParseCategory(text)
	if !ok {
		return actionlog.Value{}, actionlog.Invalidf("", "%q is not institution (or portal), course or api", text)
	}
	return actionlog.Value{Text: string(c)}, nil
}

func oneOf(allowed ...string) func(string) (actionlog.Value, error) {
	return func(text string) (actionlog.Value, error) {
		if !slices.Contains(allowed, text) {
			return actionlog.Value{}, actionlog.Invalidf("", "%q is not one of %s", text, strings.Join(allowed, ", "))
		}
		return actionlog.Value{Text: text}, nil
	}
}

func readMethod(text string) (actionlog.Value, error) {
	return actionlog.Value{Text: strings.ToUpper(text)}, nil
}

func readMediaType(text string) (actionlog.Value, error) {
	return actionlog.Value{Text: actionlog.MediaType(text)}, nil
}

func readWords(text string) (actionlog.Value, error) {
	words := people.Words(text)
	if len(words) == 0 {
		return actionlog.Value{}, actionlog.Invalidf("", "%q holds no letter or digit to look for", text)
	}
	return actionlog.Value{Words: words}, nil
}

// readCode reads 200, 2xx and 400-499.
func readCode(text string) (v actionlog.Value, err error) {
	low, high, isRange := strings.Cut(text, "-")
	if hundred, ok := strings.CutSuffix(strings.ToLower(text), "xx"); ok && len(hundred) == 1 {
		low, high, isRange = hundred+"00", hundred+"99", true
	}
	v.Min, err = strconv.Atoi(low)
	v.Max = v.Min
	if err == nil && isRange {
		v.Max, err = strconv.Atoi(high)
	}
	if err != nil || v.Min < 0 || v.Min > v.Max {
		return v, actionlog.Invalidf("", "%q is not a code as 200, 2xx or 400-499", text)
	}
	return v, nil
}

func readPrefix(text string) (actionlog.Value, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		addr, e := netip.ParseAddr(text)
		if e != nil || addr.Zone() != "" {
			return actionlog.Value{}, actionlog.Invalidf("", "%q is not an IP address or a CIDR as 10.0.0.0/8", text)
		}
		addr = addr.Unmap()
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	return actionlog.Value{Prefix: prefix.Masked()}, nil
}
