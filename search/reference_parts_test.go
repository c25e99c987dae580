package search

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

func (r *reference) filters() {
	fmt.Fprint(r, "## Filters\n\nEvery search takes them.\n\n| parameter | | values |\n| --- | --- | --- |\n")
	for name, p := range r.at("components", "parameters").members() {
		if r.isFilter(name) {
			r.row("`"+p.text("name")+"`", p.text("description"), typeOf(p.at("schema")))
		}
	}
}

func (r *reference) row(cells ...string) {
	for i, c := range cells {
		cells[i] = strings.NewReplacer("|", `\|`, "\n", " ").Replace(c)
	}
	fmt.Fprintf(r, "| %s |\n", strings.Join(cells, " | "))
}

func (r *reference) operation(method, path string, o described) {
	fmt.Fprintf(r, "\n### %s %s\n\n%s.", method, path, strings.TrimSuffix(o.text("summary"), "."))
	if d := o.text("description"); d != "" {
		fmt.Fprintf(r, " %s", d)
	}
	fmt.Fprintf(r, "\n\n%s\n", rolesOf(method, path))
	r.parameters(o)
	r.body(o.at("requestBody"))
	r.answers(o.at("responses"))
	if !strings.HasPrefix(groupOf(path), "The page") {
		r.example(method, path, o)
	}
}

func rolesOf(method, path string) string {
	for route, roles := range routeRoles {
		m, p, _ := strings.Cut(route, " ")
		if m != method || braced(p) != path {
			continue
		}
		if roles == nil {
			return "For everybody, without a token."
		}
		names := make([]string, len(roles))
		for i, role := range roles {
			names[i] = string(role)
		}
		return "For: " + strings.Join(names, ", ") + "."
	}
	return "For nobody."
}

func (r *reference) parameters(o described) {
	var rows []described
	takes := func(name string) bool {
		return slices.ContainsFunc(o.at("parameters").items(), func(p described) bool { return p.reference() == name })
	}
	filters := takes("user") // and the others, or it says which not
	for _, p := range o.at("parameters").items() {
		if !filters || !r.isFilter(p.reference()) {
			rows = append(rows, p.resolved())
		}
	}
	if filters {
		var but []string
		for name := range r.at("components", "parameters").members() {
			if r.isFilter(name) && !takes(name) {
				but = append(but, "`"+name+"`")
			}
		}
		fmt.Fprintf(r, "\nTakes the [filters](#filters)%s.\n", strings.TrimSuffix(" but "+strings.Join(but, ", "), " but "))
	}
	if len(rows) == 0 {
		return
	}
	fmt.Fprint(r, "\n| parameter | in | | values |\n| --- | --- | --- | --- |\n")
	for _, p := range rows {
		name := "`" + p.text("name") + "`"
		if p.text("required") == "true" {
			name = "**" + name + "**"
		}
		r.row(name, p.text("in"), p.text("description"), typeOf(p.at("schema")))
	}
}

func (r *reference) body(b described) {
	if b.Node == nil {
		return
	}
	fmt.Fprintf(r, "\nBody: %s.", strings.Join(contentOf(b), ", or "))
	if d := b.text("description"); d != "" {
		fmt.Fprintf(r, " %s", d)
	}
	r.WriteString("\n")
}

// contentOf says what a body or an answer holds, by media type.
func contentOf(d described) (list []string) {
	for media, c := range d.at("content").members() {
		list = append(list, fmt.Sprintf("`%s` %s", media, typeOf(c.field("schema"))))
	}
	return list
}

// field is a member as it stands, a reference unresolved.
func (d described) field(key string) described {
	for k, v := range d.resolved().members() {
		if k == key {
			return v
		}
	}
	return described{nil, d.root}
}

// own is what stands beside a reference.
func (d described) own(key string) string {
	for k, v := range d.members() {
		if k == key {
			return strings.Join(strings.Fields(v.Value), " ")
		}
	}
	return ""
}

func (r *reference) answers(responses described) {
	fmt.Fprint(r, "\n| answer | | |\n| --- | --- | --- |\n")
	var problems []string
	for status, answer := range responses.members() {
		content := contentOf(answer.resolved())
		if slices.Contains([]string{"Problem", "Unauthorized", "Later"}, answer.reference()) {
			problems = append(problems, status)
			continue
		}
		r.row(status, answer.resolved().text("description"), strings.Join(content, ", or "))
	}
	if len(problems) > 0 {
		r.row(strings.Join(problems, ", "), "A [problem](#problems).", "`application/problem+json` [Problem](#problem)")
	}
}

func (r *reference) problems() {
	fmt.Fprint(r, "\n## Problems\n\nAn answer that is none is a problem (RFC 9457): `application/problem+json`, a [Problem](#problem).\n\n| status | means |\n| --- | --- |\n")
	for _, p := range [][2]string{
		{"400", "A parameter or the body means nothing: `parameter`, `pointer`, `column` name it."},
		{"401", "No token, or one that is not good (any more)."},
		{"403", "The token's roles do not allow this."},
		{"404", "Not there; or of an institution that the token has nothing to do with, which is answered the same."},
		{"409", "Not now: it is in another state, or changed meanwhile."},
		{"429", "Too many requests: come again after `Retry-After` seconds."},
		{"503", "Something that is needed is away: come again after `Retry-After` seconds. Never part of an answer instead."},
		{"5XX", "A defect. Name the answer's `X-Request-Id` when you report it."},
	} {
		r.row(p[0], p[1])
	}
	fmt.Fprintf(r, "\n```json\n%s\n```\n", `{"type":"about:blank","title":"Bad Request","status":400,"detail":"limit: \"5000\" is not a number from 1 to 1000","parameter":"limit"}`)
}

func (r *reference) schema(name string, s described) {
	fmt.Fprintf(r, "\n### %s\n\n", name)
	if d := s.text("description"); d != "" {
		fmt.Fprintf(r, "%s\n\n", d)
	}
	rows := 0
	for _, part := range append([]described{s}, s.at("allOf").items()...) {
		required := part.at("required").values()
		for member, p := range part.at("properties").members() {
			if rows == 0 {
				fmt.Fprint(r, "| member | | |\n| --- | --- | --- |\n")
			}
			rows++
			label := "`" + member + "`"
			if slices.Contains(required, member) {
				label = "**" + label + "**"
			}
			r.row(label, typeOf(p), cmp.Or(p.own("description"), p.text("description")))
		}
	}
	if rows == 0 {
		fmt.Fprintf(r, "%s\n", typeOf(s))
	}
}

// typeOf says what values a schema allows.
func typeOf(s described) string {
	if name := s.reference(); name != "" {
		return fmt.Sprintf("[%s](#%s)", name, strings.ToLower(name))
	}
	if v := s.field("const"); v.Node != nil {
		return "`" + v.Value + "`"
	}
	if v := s.field("enum"); v.Node != nil {
		return "`" + strings.Join(v.values(), "`, `") + "`"
	}
	for _, key := range []string{"anyOf", "oneOf", "allOf"} {
		if list := s.field(key).items(); len(list) > 0 {
			var types []string
			for _, one := range list {
				if t := typeOf(one); t != "" && !slices.Contains(types, t) {
					types = append(types, t)
				}
			}
			return strings.Join(types, map[bool]string{true: " and ", false: " or "}[key == "allOf"])
		}
	}
	switch kind := s.text("type"); kind {
	case "array":
		return "list of " + typeOf(s.field("items"))
	case "integer", "number":
		return kind + rangeOf(s)
	case "string":
		if f := s.text("format"); f != "" {
			return f
		}
		if strings.Contains(s.text("pattern"), `^\s*$`) {
			return "" // the empty text, which is no value
		}
		return "text"
	default:
		return kind
	}
}

func rangeOf(s described) string {
	low, high := s.text("minimum"), s.text("maximum")
	switch {
	case low != "" && high != "":
		return " " + low + "–" + high
	case low != "":
		return " from " + low
	}
	return ""
}

// exampleValues are those of parameters that a request cannot do without.
var exampleValues = map[string]string{"field": "actor", "q": "melody%20wang"}

// exampleBodies stand for bodies in which one of several members is required.
var exampleBodies = map[string]string{
	"POST /v1/reindex": `{"all":true}`,
	"POST /v1/tokens":  `{"name":"siem","roles":["auditor"],"institutions":["my-school"]}`,
}

// example shows the request as curl, and what is answered.
func (r *reference) example(method, path string, o described) {
	curl := "curl "
	if rolesOf(method, path) != "For everybody, without a token." {
		curl += `-H "Authorization: Bearer $TOKEN" `
	}
	if method != "GET" {
		curl += "-X " + method + " "
	}
	if schema := jsonOf(o.at("requestBody")); schema.Node != nil {
		body := cmp.Or(exampleBodies[method+" "+path], compact(sample(schema, "", 0)))
		curl += "-H 'Content-Type: application/json' -d '" + body + "' "
	}
	url := strings.NewReplacer("{institution}", "my-school", "{id}", "ID", "{position}", "ab12cd34.17", "{of}", "my-school").Replace(path)
	query := []string{}
	for _, p := range o.at("parameters").items() {
		switch name := p.resolved().text("name"); {
		case p.resolved().text("in") != "query":
		case p.resolved().text("required") == "true":
			query = append(query, name+"="+exampleValues[name])
		case name == "range":
			query = append(query, "range=30d")
		}
	}
	if len(query) > 0 {
		url += "?" + strings.Join(query, "&")
	}
	fmt.Fprintf(r, "\n```\n%s\"$URL%s\"\n```\n", curl, url)
	for status, answer := range o.at("responses").members() {
		if schema := jsonOf(answer.resolved()); strings.HasPrefix(status, "2") && schema.Node != nil {
			fmt.Fprintf(r, "\n```json\n%s\n```\n", compact(sample(schema, "", 0)))
			return
		}
	}
}

func jsonOf(d described) described { return d.at("content", "application/json").field("schema") }

func compact(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
