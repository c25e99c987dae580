package main

import (
	"fmt"
	"slices"
	"strings"
)

// matched is whom or what a filter found, as the API says it.
type matched struct {
	Filter   string `json:"filter"`
	Value    string `json:"value"`
	Match    string `json:"match"`
	Searched bool   `json:"searched"`
	Name     string `json:"name"`
	Title    string `json:"title"`
	Email    string `json:"email"`
	Actions  *int64 `json:"actions"`
}

// maxNamed is how many near names a remark lists.
const maxNamed = 5

// sayNear says on standard error which names are near, and whether their actions
// are in the answer. The API lists those of a value one behind the other.
func sayNear(out *console, all []matched) {
	near := slices.DeleteFunc(all, func(m matched) bool { return m.Match != "near" })
	for len(near) > 0 {
		of := near[0]
		n := slices.IndexFunc(near, func(m matched) bool { return m.Filter != of.Filter || m.Value != of.Value })
		if n < 0 {
			n = len(near)
		}
		var names []string
		for _, m := range near[:min(n, maxNamed)] {
			names = append(names, m.String())
		}
		if n > maxNamed {
			names = append(names, fmt.Sprintf("%d more", n-maxNamed))
		}
		verdict := "near, searched"
		if !of.Searched {
			verdict = "near, not searched without --near include"
		}
		out.say("%s %q: %s: %s", of.Filter, of.Value, verdict, strings.Join(names, ", "))
		near = near[n:]
	}
}

// String is a name, whose it is, and how many actions there are.
func (m matched) String() string {
	text := clean(m.Name + m.Title)
	if m.Email != "" {
		text += " <" + clean(m.Email) + ">"
	}
	if m.Actions != nil {
		text += fmt.Sprintf(" (%d actions)", *m.Actions)
	}
	return text
}
