package restore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"actionlog"
)

// labels are what people read of a step.
var labels = map[string]string{"requested": "Restore requested", "granted": "Restore granted", "declined": "Restore declined",
	"completed": "Restore completed", "failed": "Restore failed", "renewed": "Restore renewed", "cancelled": "Restore cancelled",
	"dropped": "Restored data given back", "expired": "Restored data expired"}

// announce publishes the steps that are not published yet as actions of the institution.
// They have IDs of their own: what is published twice is a repeat.
func (r *Runner) announce(ctx context.Context, x *record) error {
	for n := x.Announced; n < len(x.Steps); n++ {
		document, err := json.Marshal(announcement(x, n))
		if err != nil {
			return err
		}
		item, err := actionlog.Parse(document, nil)
		if err != nil {
			return fmt.Errorf("the step %s: %w", x.Steps[n].Step, err)
		}
		receipt := r.Publisher.Publish(ctx, []actionlog.Submission{{Institution: item.Institution, Category: item.Action.Category,
			ID: item.ID, Digest: item.Digest, Document: item.Document}})[0]
		if receipt.Err != nil {
			return fmt.Errorf("the step %s is not published: %w", x.Steps[n].Step, receipt.Err)
		}
	}
	published := len(x.Steps)
	_, err := r.Desk.update(ctx, keyOf(x.Institution, x.ID), func(x *record) error {
		x.Announced = max(x.Announced, published)
		return nil
	})
	return err
}

// announcement is a step as an action document.
func announcement(x *record, n int) map[string]any {
	s := x.Steps[n]
	actor := map[string]any{"kind": actionlog.KindSystem, "name": "Action Log"}
	if s.By != "" {
		actor = map[string]any{"kind": actionlog.KindAPIKey, "id": s.By}
		if s.Staff {
			actor["kind"] = actionlog.KindStaff
		}
		if s.Name != "" {
			actor["name"] = s.Name
		}
	}
	restore := map[string]any{"id": x.ID, "from": x.From, "to": x.To}
	if len(x.Filter) > 0 {
		restore["filter"] = x.Filter
	}
	if s.Step == "completed" {
		restore["actions"] = x.Progress.Restored
	}
	summary := fmt.Sprintf("%s: actions of %s to %s", labels[s.Step], x.From, x.To)
	if s.Reason != "" {
		summary += " (" + s.Reason + ")"
	}
	return map[string]any{
		"schema": actionlog.Schema, "id": fmt.Sprintf("restore-%s-%d", x.ID, n), "institution": map[string]any{"id": x.Institution},
		"occurred_at": s.At.UTC().Format(time.RFC3339Nano), "category": actionlog.CategoryInstitution,
		"action": map[string]any{"code": "institution.restore." + s.Step, "label": labels[s.Step]}, "outcome": outcomeOf(s.Step),
		"actor": actor, "summary": summary, "details": map[string]any{"restore": restore},
	}
}

func outcomeOf(step string) string {
	if step == "failed" {
		return "failure"
	}
	return "success"
}
