package actionlog

import "time"

// Webhook is an address to which actions are sent, and which.
type Webhook struct {
	ID          string              `json:"id"`
	Institution string              `json:"institution"`
	Name        string              `json:"name"`
	URL         string              `json:"url"`
	Events      WebhookEvents       `json:"events"`
	Filter      map[string][]string `json:"filter"`      // of actions: parameters of the feed
	Format      string              `json:"format"`      // of an action
	PerMessage  int                 `json:"per_message"` // actions, at most
	Status      WebhookStatus       `json:"status"`
	Problem     string              `json:"problem,omitempty"` // why it was stopped
	CreatedAt   time.Time           `json:"created_at"`
	By          ExportedBy          `json:"by"`
	// Generation counts its secrets. Until Overlap the one before signs too.
	Generation int       `json:"generation"`
	Overlap    time.Time `json:"overlap,omitzero"`
}

// WebhookEvents says what a webhook is told of.
type WebhookEvents string

// What a webhook is told of.
const (
	WebhookActions WebhookEvents = "actions" // what its filter finds
	WebhookAlerts  WebhookEvents = "alerts"  // alerts that name it
)

// WebhookStatus says whether a webhook sends.
type WebhookStatus string

// The statuses of a webhook.
const (
	WebhookActive  WebhookStatus = "active"
	WebhookPaused  WebhookStatus = "paused"  // by somebody
	WebhookStopped WebhookStatus = "stopped" // by the service: nobody took what it sent for days, or the address is gone
)

// WebhookProgress is how far a webhook is. It is the runner's to write.
type WebhookProgress struct {
	At          string    `json:"at"`      // place in the feed: everything before was taken
	Pending     string    `json:"pending"` // place behind the message that is on its way; "" none is
	Tries       int       `json:"tries"`   // of it that failed
	FailingFrom time.Time `json:"failing_from,omitzero"`
	NextAt      time.Time `json:"next_at,omitzero"` // of the next try
	Problem     string    `json:"problem,omitempty"`
	Round       int       `json:"round"`    // how often it was replayed
	Messages    int64     `json:"messages"` // that were taken
	Actions     int64     `json:"actions"`  // in them
	DeliveredAt time.Time `json:"delivered_at,omitzero"`
	// Through is when the stream took the last action that was taken.
	Through time.Time `json:"through,omitzero"`
}
