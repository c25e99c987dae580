package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"actionlog"
)

// operation is one of the platform's REST API, and how it may end.
type operation struct {
	method, route, contentType string
	codes                      []int
}

var operations = []operation{
	{"GET", "/v2.2/institutions/{id}/managed-users/", "", []int{200, 200, 200, 401}},
	{"POST", "/v2.2/institutions/{id}/managed-users/", "application/json; charset=utf-8", []int{200, 201, 201, 409, 422}},
	{"PUT", "/v2.2/institutions/{id}/managed-users/{user}/", "application/json", []int{200, 200, 404}},
	{"DELETE", "/v2.2/institutions/{id}/managed-users/{user}/", "", []int{204, 204, 404}},
	{"GET", "/v2.2/institutions/{id}/courses/", "", []int{200}},
	{"POST", "/v2.2/institutions/{id}/courses/", "application/json; charset=utf-8", []int{201, 201, 400}},
	{"PATCH", "/v2.2/courses/{course}/", "application/json", []int{200, 200, 403}},
	{"POST", "/v2.2/courses/{course}/enrolments/", "application/json; charset=utf-8", []int{201, 201, 201, 409, 500}},
	{"DELETE", "/v2.2/courses/{course}/enrolments/{user}/", "", []int{204, 404}},
	{"POST", "/v2.2/courses/{course}/exports/", "application/x-www-form-urlencoded", []int{202, 202, 429}},
	{"GET", "/v2.2/courses/{course}/reports/", "", []int{200, 200, 304}},
	{"PUT", "/v2.2/courses/{course}/picture/", "multipart/form-data; boundary=x", []int{200, 413}},
}

// call invents an API call.
func (x *institution) call(rng *rand.Rand, at time.Time) *document {
	return x.callOf(rng, at, pick(rng, operations), x.someone(rng), pick(rng, x.keys))
}

func (x *institution) callOf(rng *rand.Rand, at time.Time, o operation, target person, key apiKey) *document {
	d, c := x.start(rng, at), pick(rng, x.courses)
	path := strings.NewReplacer("{id}", x.ID, "{user}", target.ID, "{course}", c.ID).Replace(o.route)
	code := pick(rng, o.codes)
	d.Category, d.Action = string(actionlog.CategoryAPI), what{"api." + strings.ToLower(o.method) + ":" + o.route, o.method + " " + o.route}
	d.Actor, d.OnBehalfOf = key.program, &key.holder
	d.Request = &request{o.method, "https://api.platform.example" + path, o.route, o.contentType}
	d.Response = &response{code}
	if code >= 400 {
		d.Outcome = "failure"
	}
	if strings.Contains(o.route, "user") || strings.Contains(o.route, "enrolments") {
		d.Targets = []person{target}
	}
	if strings.Contains(o.route, "{course}") {
		d.Course = &c.titled
	}
	d.Origin = origin{IP: "192.0.2.77", UserAgent: "provision/1.4", Channel: "api"}
	d.Trace.SessionID = ""
	d.Summary = fmt.Sprintf("%s %s -> %d", o.method, path, code)
	return d
}

// bulk is a provisioning of many users by one person, in one go.
func (x *institution) bulk(rng *rand.Rand, at time.Time, n int) (docs []*document) {
	batch := "batch-" + uuid(rng, at)[:13]
	for i := range n {
		d := x.callOf(rng, at.Add(time.Duration(i)*120*time.Millisecond), operations[1], x.someone(rng), x.keys[0])
		d.Actor, d.OnBehalfOf = x.people[7], nil // by a member of staff of the institution
		d.Trace.BatchID = batch
		docs = append(docs, d)
	}
	return docs
}
