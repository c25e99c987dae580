package main

import (
	"net/url"
	"strings"

	"github.com/alecthomas/kong"
)

// filterGroup marks the options that are filters. Their names are the API's,
// with dashes; what they mean is decided by the service alone.
const filterGroup = "filters"

// filters is the table of filter options: one field for each of the API's.
type filters struct {
	User               []string `group:"filters" env:"-" sep:"none" placeholder:"TEXT" help:"A person: a name, an e-mail address (a@b.c, a@*, @b.c), an ID (id:…)."`
	UserRole           string   `group:"filters" env:"-" placeholder:"ROLE" help:"Where the person stands: actor, target, on_behalf_of, any."`
	Actor              []string `group:"filters" env:"-" sep:"none" placeholder:"TEXT" help:"Who did it; a person, as in --user."`
	Target             []string `group:"filters" env:"-" sep:"none" placeholder:"TEXT" help:"To whom it was done; a person, as in --user."`
	OnBehalfOf         []string `group:"filters" env:"-" sep:"none" placeholder:"TEXT" help:"For whom the actor acted; a person, as in --user."`
	Near               string   `group:"filters" env:"-" placeholder:"HOW" help:"Names that are nearly right: auto (where nobody has exactly that name; exports: never), include, exclude."`
	Course             []string `group:"filters" env:"-" sep:"none" placeholder:"TEXT" help:"A course: title or ID."`
	Class              []string `group:"filters" env:"-" sep:"none" placeholder:"TEXT" help:"A class: title or ID."`
	Category           []string `group:"filters" env:"-" sep:"none" placeholder:"TYPE" help:"The action type: institution (or portal), course, api."`
	Action             []string `group:"filters" env:"-" sep:"none" placeholder:"CODE" help:"What was done: codes of the catalogue."`
	Outcome            []string `group:"filters" env:"-" sep:"none" placeholder:"OUTCOME" help:"success, failure, unknown."`
	ActorKind          []string `group:"filters" env:"-" sep:"none" placeholder:"KIND" help:"user, staff, api_key, system, anonymous."`
	Channel            []string `group:"filters" env:"-" sep:"none" placeholder:"CHANNEL" help:"web, api, lti, job, …: by hand, or by a program."`
	RequestMethod      []string `group:"filters" env:"-" sep:"none" placeholder:"METHOD" help:"GET, POST, …"`
	ResponseCode       []string `group:"filters" env:"-" sep:"none" placeholder:"CODE" help:"200, 2xx, 400-499."`
	ResponseURL        []string `name:"response-url" group:"filters" env:"-" sep:"none" placeholder:"URL" help:"The request's URL: whole, its path, or the beginning of its path."`
	RequestContentType []string `group:"filters" env:"-" sep:"none" placeholder:"TYPE" help:"A media type; its parameters are ignored."`
	Any                []string `group:"filters" env:"-" sep:"none" placeholder:"WORDS" help:"Words that all stand anywhere in the action."`
	IP                 []string `name:"ip" group:"filters" env:"-" sep:"none" placeholder:"IP" help:"An address or a network (CIDR)."`
	Batch              []string `group:"filters" env:"-" sep:"none" placeholder:"ID" help:"The bulk operation that an action was part of."`
	RequestID          []string `name:"request-id" group:"filters" env:"-" sep:"none" placeholder:"ID" help:"The request that an action was part of."`
	Range              string   `group:"filters" env:"-" placeholder:"DAYS" help:"7d, 30d or 90d until now. Without any time: 7d."`
	From               string   `group:"filters" env:"-" placeholder:"TIME" help:"RFC 3339, now-30d, or a date in --tz."`
	To                 string   `group:"filters" env:"-" placeholder:"TIME" help:"The same; a date is included."`
	TZ                 string   `name:"tz" group:"filters" env:"-" placeholder:"ZONE" help:"Time zone of dates, such as Europe/Berlin. Default: UTC."`
	MissingDays        string   `group:"filters" env:"-" placeholder:"HOW" help:"allow: answer although damaged days are set aside."`
}

// filterValues gives the filters of a parsed command line as the API's query, with the
// text that stands beside them.
func filterValues(parsed *kong.Context, text queryArg) url.Values {
	query := url.Values{}
	if q := strings.Join(text.Query, " "); strings.TrimSpace(q) != "" {
		query.Set("q", q)
	}
	for _, f := range parsed.Flags() {
		if f.Group == nil || f.Group.Key != filterGroup {
			continue
		}
		name := parameterName(f.Name)
		switch v := f.Target.Interface().(type) {
		case string:
			if v != "" {
				query.Set(name, v)
			}
		case []string:
			for _, one := range v {
				query.Add(name, one)
			}
		}
	}
	return query
}

func parameterName(flag string) string { return strings.ReplaceAll(flag, "-", "_") }
