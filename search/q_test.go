package search

import (
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"actionlog"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// spokenOf reads q and, as the service does, what is in it, without a directory.
func spokenOf(t testing.TB, values url.Values) (*spoken, error) {
	said, err := speak(values)
	if err != nil {
		return nil, err
	}
	r := reading{institution: "uni", now: time.Date(2026, 11, 23, 15, 0, 0, 0, time.UTC)}
	_, err = r.read(t.Context(), said.values)
	return said, said.point(err)
}

// What a text means, and how it is written: testdata/q.txtar. A file's name is the text,
// its lines are the parameters, and "= " and the text that is rendered. UPDATE_GOLDEN=1
// writes it.
func TestQueryGoldens(t *testing.T) {
	path := filepath.Join("testdata", "q.txtar")
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range archive.Files {
		got := ""
		if said, err := spokenOf(t, url.Values{"q": {f.Name}}); err != nil {
			got = "error " + err.Error() + "\n"
		} else {
			filters := normal(said.values)
			for _, name := range slices.Sorted(mapKeys(filters)) {
				got += name + " " + strings.Join(filters[name], " | ") + "\n"
			}
			got += "= " + render(filters) + "\n"
		}
		if d := cmp.Diff(string(f.Data), got); d != "" && os.Getenv("UPDATE_GOLDEN") == "" {
			t.Errorf("%s (-want +got):\n%s", f.Name, d)
		}
		archive.Files[i].Data = []byte(got)
	}
	if len(archive.Files) < 60 {
		t.Errorf("only %d goldens", len(archive.Files))
	}
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(path, txtar.Format(archive), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func mapKeys(values url.Values) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for name := range values {
			if !yield(name) {
				return
			}
		}
	}
}

// mistake is a piece of a text, and what is said of it.
type mistake struct{ piece, says string }

func queryMistakes() map[string]mistake {
	return map[string]mistake{
		`usr:melody`:              {"usr", `there is no filter "usr"; did you mean "user"?`},
		`arts usre:melody`:        {"usre", `did you mean "user"?`},
		`actoin:x`:                {"actoin", `did you mean "action"?`},
		`respons_code:200`:        {"respons_code", `did you mean "response_code"?`},
		`act:x`:                   {"act", `did you mean "actor"?`},
		`zzyzx:7`:                 {"zzyzx", `in quotes`},
		`-zzyzx:7`:                {"zzyzx", `in quotes`},
		`zzyzx:"a b"`:             {"zzyzx", `in quotes`},
		`naïve:x`:                 {"naïve", `there is no filter`},
		`Ünïcödé 王小明 code:abc`:    {"abc", `code: "abc" is not a code`},
		`code:200,abc,404`:        {"abc", `code: "abc" is not a code`},
		`code:"200, abc"`:         {" abc", `code: "abc" is not a code`},
		`response_code:abc`:       {"abc", `response_code: "abc" is not a code`},
		`-outcome:maybe`:          {"maybe", `outcome: "maybe" is not one of`},
		`-outcome:-failure`:       {"-failure", `excluded twice`},
		`ip:10.0.0`:               {"10.0.0", `not an IP address`},
		`user:id:`:                {"id:", `user: id: lacks an ID`},
		`for:id:`:                 {"id:", `for: id: lacks an ID`},
		`-`:                       {"-", `stands alone`},
		`foo - bar`:               {"-", `stands alone`},
		`--foo`:                   {"--", `two minuses`},
		`--user:foo`:              {"--", `two minuses`},
		`user:`:                   {"user:", `lacks a value`},
		`user: melody`:            {"user:", `lacks a value`},
		`user:""`:                 {`user:""`, `lacks a value`},
		`user:"  "`:               {`user:"  "`, `lacks a value`},
		`code:,`:                  {",", `lacks a value`},
		`user:-`:                  {"-", `nothing to exclude`},
		`""`:                      {`""`, `nothing in the quotes`},
		`-""`:                     {`-""`, `nothing in the quotes`},
		`arts "and craft`:         {`"and craft`, `not closed`},
		`user:"melody code:200`:   {`"melody code:200`, `not closed`},
		`"a\"`:                    {`"a\"`, `not closed`},
		`user:"melody"wang`:       {"wang", `a space is missing`},
		`"a""b"`:                  {`"b"`, `a space is missing`},
		`!!`:                      {"!!", `no letter or digit`},
		`-!!`:                     {"-!!", `no letter or digit`},
		`any:!!`:                  {"!!", `no letter or digit`},
		`from:now to:now from:7`:  {"from:7", `more than once`},
		`-from:now`:               {"-", `cannot be excluded`},
		`from:yesterday`:          {"yesterday", `from: "yesterday" is not a time`},
		`to:"next week"`:          {"next week", `to: "next week" is not a time`},
		`range:8d`:                {"8d", `range: "8d" is not one of`},
		`range:7d from:now`:       {"7d", `cannot be combined`},
		`from:now to:now-1d`:      {"now", `from: is not before to`},
		`tz:Mars/Base`:            {"Mars/Base", `tz: "Mars/Base" is not a time zone`},
		`near:maybe`:              {"maybe", `near: "maybe" is not one of`},
		`user_role:boss`:          {"boss", `"boss" is not one of`},
		`missing_days:all`:        {"all", `"all" is not one of`},
		`type:curse`:              {"curse", `type: "curse" is not institution`},
		`user:a kind:"st\"aff" b`: {`st\"aff`, `is not one of`},
	}
}

// A mistake is said for a person, and its place is that of the piece, in characters.
func TestQueryErrors(t *testing.T) {
	for q, want := range queryMistakes() {
		_, err := spokenOf(t, url.Values{"q": {q}})
		var wrong *misread
		if !errors.As(err, &wrong) {
			t.Errorf("%s: %v", q, err)
			continue
		}
		text := []rune(q)
		from, to := wrong.column-1, wrong.column-1+wrong.length
		if to > len(text) || string(text[from:to]) != want.piece || !strings.Contains(wrong.Reason.String(), want.says) || wrong.Field != "q" {
			t.Errorf("%s: %s at %d, %d characters", q, wrong.Reason, wrong.column, wrong.length)
		}
	}
}

// q and other parameters are combined; one filter in both is refused.
func TestQueryBesideParameters(t *testing.T) {
	for query, want := range map[string]string{
		"q=arts&outcome=failure":                "outcome:failure arts",
		"q=arts&outcome=":                       "arts",
		"q=code:2xx&response_code=":             "code:2xx",
		"q=code:2xx&response_code=404":          "error response_code",
		"q=arts&any=craft":                      "error any",
		"q=type:api&category=api":               "error category",
		"q=from:now-2d&to=now-1d":               "from:now-2d to:now-1d",
		"q=from:now-2d&range=7d":                "error range",
		"q=from:now&to=now-1d":                  "error q",
		"q=user:ann&user_role=actor":            "user:ann user_role:actor",
		"q=user:ann&user_role=boss":             "error user_role",
		"q=user:ann&q=user:lee":                 "error q",
		"q=user:ann&colour=red":                 "error colour",
		"q=%ff":                                 "error q",
		"q=":                                    "",
		"q=+":                                   "",
		"any=arts&any=craft":                    "any:arts any:craft",
		"any=+arts++craft+":                     "arts craft",
		"user=-+ann+lee":                        `-user:"ann lee"`,
		"user=--x&user=\\-y":                    `user:\-y -user:\-x`,
		"channel=a,-b,,a&channel=\\-c":          `channel:a,\-c -channel:b`,
		"response_code=2xx,404&response_code=-": "error response_code",
	} {
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		said, err := spokenOf(t, values)
		got := ""
		var invalid *actionlog.InvalidError
		if errors.As(err, &invalid) {
			got = "error " + invalid.Field
		} else {
			got = render(normal(said.values))
		}
		if got != want {
			t.Errorf("%s: %s (%v); want %s", query, got, err, want)
		}
	}
}

// Every filter and setting can stand in q, and no name means two.
func TestQualifiersAreTheFilters(t *testing.T) {
	seen := map[string]string{}
	for _, q := range qualifiers {
		if _, isFilter := filters[q.name]; !isFilter && !isSetting(q.name) {
			t.Errorf("%s is no parameter", q.name)
		}
		for _, name := range []string{q.name, q.short} {
			if of := seen[name]; of != "" && of != q.name {
				t.Errorf("%s means %s and %s", name, of, q.name)
			}
			seen[name] = q.name
		}
	}
	for name := range filters {
		if seen[name] != name {
			t.Errorf("the filter %s cannot stand in q", name)
		}
	}
	for _, name := range settings {
		if seen[name] != name {
			t.Errorf("the setting %s cannot stand in q", name)
		}
	}
}

// No text is a panic; what is read and written is read as the same; and so are parameters.
func FuzzQuery(f *testing.F) {
	archive, err := txtar.ParseFile(filepath.Join("testdata", "q.txtar"))
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range archive.Files {
		f.Add(file.Name, "user", "channel", `-\-x y`)
	}
	f.Add("a", "any", "user", `\-"x`)
	f.Fuzz(func(t *testing.T, text, name, other, value string) {
		for _, values := range []url.Values{{"q": {text}}, {name: {text, value}, other: {value}}, {"q": {text}, name: {value}}} {
			said, err := spokenOf(t, values)
			if err != nil {
				var wrong *misread
				if errors.As(err, &wrong) && wrong.column+wrong.length-1 > max(1, len([]rune(text))) {
					t.Errorf("%q: %v at %d, %d characters", text, wrong, wrong.column, wrong.length)
				}
				continue
			}
			if allUTF8(said.values) != nil {
				continue
			}
			want := normal(said.values)
			written := render(want)
			again, err := spokenOf(t, url.Values{"q": {written}})
			if err != nil {
				t.Errorf("%q: %v", written, err)
			} else if d := cmp.Diff(want, normal(again.values)); d != "" {
				t.Errorf("%q is written %q (-want +got):\n%s", values, written, d)
			}
		}
		for at := range len([]rune(text)) + 1 {
			now := typingAt([]rune(text), at)
			if now.start > at || now.end < now.start || now.end > len([]rune(text)) {
				t.Errorf("%q at %d: %+v", text, at, now)
			}
		}
	})
}
