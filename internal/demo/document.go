package demo

import "time"

// document is an action/1 as it is published, see package actionlog.
type document struct {
	at time.Time

	ID          string         `json:"id"`
	Schema      string         `json:"schema"`
	OccurredAt  string         `json:"occurred_at"`
	Institution named          `json:"institution"`
	Category    string         `json:"category"`
	Action      what           `json:"action"`
	Outcome     string         `json:"outcome,omitempty"`
	Reason      string         `json:"reason,omitempty"`
	Actor       person         `json:"actor"`
	OnBehalfOf  *person        `json:"on_behalf_of,omitempty"`
	Targets     []person       `json:"targets,omitempty"`
	Course      *titled        `json:"course,omitempty"`
	Class       *titled        `json:"class,omitempty"`
	Changes     []change       `json:"changes,omitempty"`
	Request     *request       `json:"request,omitempty"`
	Response    *response      `json:"response,omitempty"`
	Origin      origin         `json:"origin"`
	Trace       trace          `json:"trace"`
	Summary     string         `json:"summary,omitempty"`
	Details     map[string]any `json:"details,omitempty"`
}

type (
	named struct {
		ID   string `json:"id"`
		Name string `json:"name"`
	}
	what struct {
		Code  string `json:"code"`
		Label string `json:"label"`
	}
	person struct {
		Kind       string   `json:"kind,omitempty"`
		ID         string   `json:"id,omitempty"`
		Name       string   `json:"name,omitempty"`
		Email      string   `json:"email,omitempty"`
		ExternalID string   `json:"external_id,omitempty"`
		Roles      []string `json:"roles,omitempty"`
	}
	titled struct {
		ID    string `json:"id"`
		Title string `json:"title"`
	}
	change struct {
		Field  string `json:"field"`
		Before any    `json:"before"`
		After  any    `json:"after"`
	}
	request struct {
		Method      string `json:"method"`
		URL         string `json:"url"`
		Route       string `json:"route"`
		ContentType string `json:"content_type,omitempty"`
	}
	response struct {
		Code int `json:"code"`
	}
	origin struct {
		IP        string `json:"ip,omitempty"`
		UserAgent string `json:"user_agent,omitempty"`
		Channel   string `json:"channel"`
	}
	trace struct {
		RequestID string `json:"request_id,omitempty"`
		SessionID string `json:"session_id,omitempty"`
		BatchID   string `json:"batch_id,omitempty"`
	}
)
