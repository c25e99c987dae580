package search

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"actionlog"

	"github.com/gin-gonic/gin"
)

// recordWithin is how long it may take to record what somebody does with the log.
const recordWithin = 10 * time.Second

// Codes of the actions that say what was done with the log itself.
const (
	codeSearched        = "institution.actionlog.searched"
	codeExportStarted   = "institution.actionlog.export_started"
	codeExported        = "institution.actionlog.exported"
	codeDownloaded      = "institution.actionlog.export_downloaded"
	codeFeedRead        = "institution.actionlog.feed_read"
	codeWebhookCreated  = "institution.actionlog.webhook_created"
	codeWebhookPaused   = "institution.actionlog.webhook_paused"
	codeWebhookResumed  = "institution.actionlog.webhook_resumed"
	codeWebhookReplayed = "institution.actionlog.webhook_replayed"
	codeWebhookRotated  = "institution.actionlog.webhook_rotated"
	codeWebhookDropped  = "institution.actionlog.webhook_dropped"
	codeWebhookStopped  = "institution.actionlog.webhook_stopped"
	codeSearchSaved     = "institution.actionlog.search_saved"
	codeSearchChanged   = "institution.actionlog.search_changed"
	codeSearchDropped   = "institution.actionlog.search_dropped"
	codeAlertFired      = "institution.actionlog.alert_fired"
	codeDenied          = "institution.actionlog.denied"
	codeSignInFailed    = "institution.actionlog.sign_in_failed"
	codeSignedIn        = "institution.actionlog.signed_in"
	codeSignedOut       = "institution.actionlog.signed_out"
	codeTokenCreated    = "institution.actionlog.token_created"
	codeTokenRotated    = "institution.actionlog.token_rotated"
	codeTokenRevoked    = "institution.actionlog.token_revoked"
	codeSupportTakenUp  = "institution.actionlog.support_taken_up"
	codeSupportEnded    = "institution.actionlog.support_ended"
)

var witnessLabels = map[string]string{
	codeSearched: "Action log searched by staff", codeExportStarted: "Action log export started", codeExported: "Action log exported",
	codeDownloaded: "Action log export downloaded", codeFeedRead: "Action log feed read",
	codeWebhookCreated: "Action log webhook created", codeWebhookPaused: "Action log webhook paused", codeWebhookResumed: "Action log webhook resumed", codeWebhookReplayed: "Action log webhook replayed",
	codeWebhookRotated: "Action log webhook given another secret", codeWebhookDropped: "Action log webhook removed", codeWebhookStopped: "Action log webhook stopped",
	codeSearchSaved: "Search of the action log saved", codeSearchChanged: "Saved search of the action log changed", codeSearchDropped: "Saved search of the action log removed", codeAlertFired: "Alert",
	codeDenied: "Request to the action log denied", codeSignInFailed: "Sign-in to the action log failed", codeSignedIn: "Signed in to the action log",
	codeSignedOut: "Signed out of the action log", codeTokenCreated: "Action log token created", codeTokenRotated: "Action log token rotated",
	codeTokenRevoked: "Action log token revoked", codeSupportTakenUp: "Support of the action log taken up", codeSupportEnded: "Support of the action log ended",
}

// step is something that was done with the log.
type step struct {
	code    string
	failed  bool
	status  int    // of the answer; 0: not known yet
	reason  string // why it failed, or why it was allowed
	summary string
	details map[string]any
}

// witness records what the caller did as an action in an institution's own log. It
// returns when the stream holds it, durably. What is recorded is read like every other
// action; reading it is recorded only where reading is.
func (s *server) witness(c *gin.Context, st step, institutions ...string) error {
	var all []map[string]any
	for _, institution := range institutions {
		all = append(all, s.testimony(c, institution, &st))
	}
	// The client may have left: what was done was done.
	return s.record(context.WithoutCancel(c.Request.Context()), all...)
}

// record publishes actions that say what was done with the log.
func (s *server) record(ctx context.Context, actions ...map[string]any) error {
	var documents [][]byte
	for _, d := range actions {
		document, err := json.Marshal(d)
		if err != nil {
			return err
		}
		documents = append(documents, document)
	}
	return s.recordDocuments(ctx, documents...)
}

func (s *server) recordDocuments(ctx context.Context, documents ...[]byte) error {
	var all []actionlog.Submission
	for _, document := range documents {
		item, err := actionlog.Parse(document, s.Scrubber)
		if err != nil {
			return fmt.Errorf("an action of the log's own: %w", err)
		}
		all = append(all, actionlog.Submission{Institution: item.Institution, Category: item.Action.Category, ID: item.ID, Digest: item.Digest, Document: item.Document})
	}
	ctx, cancel := context.WithTimeout(ctx, recordWithin)
	defer cancel()
	for _, r := range s.Publisher.Publish(ctx, all) {
		if r.Err != nil {
			return fmt.Errorf("what is done with the log cannot be recorded in it: %w: %w", actionlog.ErrUnavailable, r.Err)
		}
	}
	return nil
}

// noted is witness where what happened stands, whether it can be recorded or not.
func (s *server) noted(c *gin.Context, st step, institutions ...string) {
	if err := s.witness(c, st, institutions...); err != nil {
		s.Log.Error("not recorded in the log", "action", st.code, "error", err)
	}
}

// testimony is a step as an action document.
func (s *server) testimony(c *gin.Context, institution string, st *step) map[string]any {
	d := st.document(institution, newTestimonyID(), s.Now())
	d["actor"] = actorOf(principal(c), institution)
	d["request"] = map[string]any{"method": c.Request.Method, "url": c.Request.URL.Path, "route": c.FullPath()}
	d["origin"] = map[string]any{"ip": c.ClientIP(), "user_agent": clipped(c.Request.UserAgent(), 500), "channel": channelOf(principal(c))}
	d["trace"] = map[string]any{"request_id": c.GetString(requestIDKey)}
	return d
}

// testimonyPrefix begins the ID of an action that the service itself recorded.
const testimonyPrefix = "log-"

// newTestimonyID makes an ID that nobody can guess: who could, would have a record of
// their doings be taken for a collision.
func newTestimonyID() string { return testimonyPrefix + strings.ToLower(rand.Text()) }

// document is what a step says by itself: not who took it, and from where.
func (st *step) document(institution, id string, at time.Time) map[string]any {
	outcome := "success"
	if st.failed {
		outcome = "failure"
	}
	d := map[string]any{
		"schema": actionlog.Schema, "id": id, "occurred_at": at.UTC().Format(time.RFC3339Nano),
		"institution": map[string]any{"id": institution}, "category": actionlog.CategoryInstitution,
		"action": map[string]any{"code": st.code, "label": witnessLabels[st.code]}, "outcome": outcome,
	}
	if st.status != 0 {
		d["response"] = map[string]any{"code": st.status}
	}
	for name, text := range map[string]string{"reason": st.reason, "summary": st.summary} {
		if text != "" {
			d[name] = text
		}
	}
	if st.details != nil {
		d["details"] = map[string]any{"actionlog": st.details}
	}
	return d
}

// actorOf is the caller as an action's actor.
func actorOf(p actionlog.Principal, institution string) map[string]any {
	a := map[string]any{"kind": actionlog.KindAPIKey}
	switch {
	case p.ID == "":
		a["kind"] = actionlog.KindAnonymous
	case p.AsStaff(institution) || institution == actionlog.PlatformLog && p.OfPlatform():
		a["kind"] = actionlog.KindStaff
	case p.Person:
		a["kind"] = actionlog.KindUser
	}
	for name, text := range map[string]string{"id": p.ID, "name": p.Name, "email": p.Email} {
		if text != "" {
			a[name] = text
		}
	}
	return a
}

func channelOf(p actionlog.Principal) string {
	if p.Session != "" {
		return "web"
	}
	return "api"
}

func clipped(s string, most int) string {
	if len(s) > most {
		s = s[:most]
	}
	return strings.ToValidUTF8(s, "")
}

// filterOfRequest are the parameters of a request but for where it goes on.
func filterOfRequest(values url.Values) url.Values {
	values = maps.Clone(values)
	delete(values, "cursor")
	return values
}

// searched records a search, if it is staff who searches. rows is how many actions,
// values or names are answered, total (nil: not counted) how many there are.
func (s *server) searched(c *gin.Context, rows int, t *total) error {
	institution, p := c.Param("institution"), principal(c)
	if !p.AsStaff(institution) {
		return nil
	}
	about := map[string]any{"filter": filterOfRequest(c.Request.URL.Query()), "rows": rows}
	if t != nil {
		about["total"] = t
	}
	return s.witness(c, step{code: codeSearched, status: http.StatusOK, reason: p.Reason(institution), details: about,
		summary: fmt.Sprintf("%s %s: %d rows", c.Request.Method, c.FullPath(), rows)}, institution)
}

// denied records a request that is not for the caller: in the institution that it is of,
// or in the platform's own log, but never in one that the caller has nothing to do with.
func (s *server) denied(c *gin.Context, institution string, status int, why string) {
	if institution == "" {
		institution = homeOf(principal(c))
	}
	s.noted(c, step{code: codeDenied, failed: true, status: status, reason: why}, institution)
}

// homeOf is in which log stands what a principal does with no institution.
func homeOf(p actionlog.Principal) string {
	if list := p.Named(); len(list) == 1 && !p.Everywhere() {
		return list[0]
	}
	return actionlog.PlatformLog
}
