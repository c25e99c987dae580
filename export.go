package actionlog

import "time"

// Export is a job that writes everything that a filter finds into a file, which can be
// fetched for a while: whole or, where a connection broke, from where it broke.
type Export struct {
	ID          string `json:"id"`
	Institution string `json:"institution"`
	Format      string `json:"format"` // csv, json, ndjson or ecs
	Order       string `json:"order"`  // newest or oldest first
	BOM         bool   `json:"bom"`    // CSV begins with a byte order mark
	// Filter are parameters of the search but for time, which is fixed when the job is made:
	// however often it is begun anew, it asks the same.
	Filter    map[string][]string `json:"filter"`
	From      time.Time           `json:"from"` // included
	To        time.Time           `json:"to"`   // not included
	TZ        string              `json:"tz"`
	Status    ExportStatus        `json:"status"`
	CreatedAt time.Time           `json:"created_at"`
	By        ExportedBy          `json:"by"`
	StartedAt time.Time           `json:"started_at,omitzero"` // for the last time
	EndedAt   time.Time           `json:"ended_at,omitzero"`
	// Total is how many actions were found before the first was written; nil: not counted yet.
	Total   *ExportTotal `json:"total,omitempty"`
	Written int64        `json:"written"` // so far
	// Count, Bytes and SHA256 (in hexadecimal) are the file's, once it is there: counted
	// again from what was read back from the disk.
	Count  *int64 `json:"count,omitempty"`
	Bytes  *int64 `json:"bytes,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	// CompleteThrough: what the stream took until then is settled and in the file.
	CompleteThrough *time.Time `json:"complete_through,omitempty"`
	// Restored is what the time has of days that are back, Missing what it has of days that
	// are older than what is searchable and not back.
	Restored  []Restored `json:"restored,omitempty"`
	Missing   []Days     `json:"missing,omitempty"`
	FileName  string     `json:"file_name"`
	ExpiresAt time.Time  `json:"expires_at,omitzero"`
	// Problem is why it failed or does not get on.
	Problem string `json:"problem,omitempty"`
}

// ExportStatus is how far an export is.
type ExportStatus string

// The statuses of an export.
const (
	ExportWaiting   ExportStatus = "waiting" // for its turn
	ExportRunning   ExportStatus = "running"
	ExportReady     ExportStatus = "ready" // its file can be fetched
	ExportFailed    ExportStatus = "failed"
	ExportCancelled ExportStatus = "cancelled"
	ExportExpired   ExportStatus = "expired" // its time is over, or somebody dropped it
)

// Over tells whether nothing will become of it any more.
func (s ExportStatus) Over() bool {
	return s == ExportFailed || s == ExportCancelled || s == ExportExpired
}

// ExportedBy is who made an export.
type ExportedBy struct {
	ID    string `json:"id,omitempty"` // of the token or person; "" where it is not told
	Name  string `json:"name,omitempty"`
	Staff bool   `json:"staff,omitempty"` // of the platform
}

// ExportTotal counts what an export finds.
type ExportTotal struct {
	Value    int64  `json:"value"`
	Relation string `json:"relation"` // eq: exactly
}

// Days is a range of UTC days, both included.
type Days struct {
	From Day `json:"from"`
	To   Day `json:"to"`
}
