package ecs

// event is an event, its members in the order in which they are written. Zero members are
// left out, but for those that every action has.
type event struct {
	Timestamp    string   `json:"@timestamp"`
	ECS          version  `json:"ecs"`
	Event        about    `json:"event"`
	Message      string   `json:"message"`
	Organization named    `json:"organization"`
	User         actor    `json:"user,omitzero"`
	Source       source   `json:"source,omitzero"`
	UserAgent    original `json:"user_agent,omitzero"`
	HTTP         exchange `json:"http,omitzero"`
	URL          address  `json:"url,omitzero"`
	Related      related  `json:"related,omitzero"`
	Own          own      `json:"actionlog"`
}

type version struct {
	Version string `json:"version"`
}

type about struct {
	ID       string   `json:"id"`
	Kind     string   `json:"kind"`
	Category []string `json:"category,omitempty"`
	Type     []string `json:"type"`
	Action   string   `json:"action"`
	Outcome  string   `json:"outcome,omitempty"`
	Reason   string   `json:"reason,omitempty"`
	Module   string   `json:"module"`
	Dataset  string   `json:"dataset"`
	Created  string   `json:"created,omitempty"`
	Original string   `json:"original"`
}

type named struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

type user struct {
	ID       string   `json:"id,omitempty"`
	Name     string   `json:"name,omitempty"`
	FullName string   `json:"full_name,omitempty"`
	Email    string   `json:"email,omitempty"`
	Roles    []string `json:"roles,omitempty"`
}

// actor is who did it, for whom, and to whom.
type actor struct {
	user
	Effective user `json:"effective,omitzero"`
	Target    user `json:"target,omitzero"`
}

type source struct {
	IP string `json:"ip"`
}

type original struct {
	Original string `json:"original"`
}

type exchange struct {
	Request  request  `json:"request,omitzero"`
	Response response `json:"response,omitzero"`
}

type request struct {
	ID     string `json:"id,omitempty"`
	Method string `json:"method,omitempty"`
}

type response struct {
	StatusCode *int `json:"status_code"`
}

type address struct {
	Original string `json:"original"`
	Scheme   string `json:"scheme,omitempty"`
	Domain   string `json:"domain,omitempty"`
	Port     int    `json:"port,omitempty"`
	Path     string `json:"path,omitempty"`
	Query    string `json:"query,omitempty"`
	Fragment string `json:"fragment,omitempty"`
}

type related struct {
	IP   []string `json:"ip,omitempty"`
	User []string `json:"user,omitempty"`
}

// own is what the schema has no field for.
type own struct {
	Category    string     `json:"category"`
	Label       string     `json:"label,omitempty"`
	Day         string     `json:"day"`
	Position    string     `json:"position,omitempty"`
	Channel     string     `json:"channel,omitempty"`
	Actor       known      `json:"actor"`
	OnBehalfOf  known      `json:"on_behalf_of,omitzero"`
	Targets     []target   `json:"targets,omitempty"`
	Course      titled     `json:"course,omitzero"`
	Class       titled     `json:"class,omitzero"`
	Changes     []change   `json:"changes,omitempty"`
	Request     ownRequest `json:"request,omitzero"`
	Trace       trace      `json:"trace,omitzero"`
	Details     string     `json:"details,omitempty"`
	Warnings    []string   `json:"warnings,omitempty"`
	ActorMasked bool       `json:"actor_masked,omitempty"`
}

// known is what the schema's users do not have.
type known struct {
	Kind       string `json:"kind,omitempty"`
	ExternalID string `json:"external_id,omitempty"`
}

type target struct {
	Kind       string   `json:"kind,omitempty"`
	ID         string   `json:"id,omitempty"`
	Name       string   `json:"name,omitempty"`
	Email      string   `json:"email,omitempty"`
	ExternalID string   `json:"external_id,omitempty"`
	Roles      []string `json:"roles,omitempty"`
}

type titled struct {
	ID    string `json:"id,omitempty"`
	Title string `json:"title,omitempty"`
}

type change struct {
	Field  string `json:"field,omitempty"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

type ownRequest struct {
	Route       string `json:"route,omitempty"`
	ContentType string `json:"content_type,omitempty"`
}

type trace struct {
	SessionID string `json:"session_id,omitempty"`
	BatchID   string `json:"batch_id,omitempty"`
}
