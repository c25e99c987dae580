package main

import (
	"fmt"
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
// are in the answer.
func sayNear(out *console, all []matched) {
	type about struct{ filter, value string }
	near := map[about][]matched{}
	var order []about
	for _, m := range all {
		if m.Match != "near" {
			continue
		}
		a := about{m.Filter, m.Value}
		if near[a] == nil {
			order = append(order, a)
		}
		near[a] = append(near[a], m)
	}
	for _, a := range order {
		list := near[a]
		var names []string
		for _, m := range list[:min(len(list), maxNamed)] {
			names = append(names, m.String())
		}
		if more := len(list) - len(names); more > 0 {
			names = append(names, fmt.Sprintf("%d more", more))
		}
		verdict := "near, searched"
		if !list[0].Searched {
			verdict = "near, not searched without --near include"
		}
		out.say("%s %q: %s: %s", a.filter, a.value, verdict, strings.Join(names, ", "))
	}
}

// String is a name, whose it is, and how many actions there are.
func (m matched) String() string {
	text := m.Name + m.Title
	if m.Email != "" {
		text += " <" + m.Email + ">"
	}
	if m.Actions != nil {
		text += fmt.Sprintf(" (%d actions)", *m.Actions)
	}
	return text
}
