package elastic

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"actionlog"
	"actionlog/mappings"
)

// Retention is who drops days that are past their time.
type Retention string

const (
	// RetentionAuto: by ILM or ISM where the server has it, otherwise by the sweep.
	RetentionAuto Retention = ""
	// RetentionILM is Index Lifecycle Management, of Elasticsearch.
	RetentionILM Retention = "ilm"
	// RetentionISM is Index State Management, of OpenSearch.
	RetentionISM Retention = "ism"
	// RetentionSweep: this service drops days itself.
	RetentionSweep Retention = "sweep"
)

// retention is what was chosen.
type retention struct{ by Retention }

func (r retention) how() string { return string(r.by) }

// Retention says who drops days: "ilm", "ism" or "sweep".
func (s *Store) Retention() string { return s.retention.how() }

const ilmPath, ismPath = "/_ilm/policy/" + mappings.Policy, "/_plugins/_ism/policies/" + mappings.Policy

// chooseRetention probes for what the server has, and installs the policy. No day
// has it yet: see Attach.
func (s *Store) chooseRetention(ctx context.Context, want Retention) error {
	candidates := []Retention{want}
	if want == RetentionAuto {
		candidates = []Retention{RetentionILM, RetentionSweep}
		if s.client.openES {
			candidates[0] = RetentionISM
		}
	}
	for _, by := range candidates {
		has := true
		var err error
		switch by {
		case RetentionILM:
			has, err = s.installPolicy(ctx, ilmPath, mappings.ILM())
		case RetentionISM:
			has, err = s.installPolicy(ctx, ismPath, mappings.ISM())
		case RetentionSweep:
		default:
			return fmt.Errorf("retention %q is not ilm, ism or sweep", by)
		}
		if err != nil {
			return err
		}
		if has {
			s.retention = retention{by}
			return nil
		}
	}
	return fmt.Errorf("retention: the server has no %s", want)
}

// installPolicy puts a policy where none is; an operator's own changes stay. has is
// false where the server knows nothing of such policies.
func (s *Store) installPolicy(ctx context.Context, path string, policy any) (has bool, err error) {
	err = s.client.call(ctx, http.MethodGet, path, nil, nil, nil)
	switch {
	case err == nil:
		return true, nil
	case hasStatus(err, http.StatusNotFound) && !unknownPath(err):
	case hasStatus(err, http.StatusNotFound), hasStatus(err, http.StatusBadRequest), hasStatus(err, http.StatusMethodNotAllowed):
		return false, nil
	default:
		return false, fmt.Errorf("retention: %w", err)
	}
	if err := s.client.call(ctx, http.MethodPut, path, nil, policy, nil); err != nil {
		return false, fmt.Errorf("retention: %w", err)
	}
	return true, nil
}

// unknownPath tells an answer of a server that knows no such path from one that
// knows no such policy, which says so with a type.
func unknownPath(err error) bool {
	var a *answerError
	return errors.As(err, &a) && a.Type == ""
}

// Attach gives a day to the policy; with the sweep there is nothing to attach. It is
// for days that are proven to be archived: what the policy deletes is gone.
func (s *Store) Attach(ctx context.Context, d actionlog.Day) error {
	index := s.dayIndex(d)
	switch s.retention.by {
	case RetentionILM:
		settings := obj{"index.lifecycle.name": mappings.Policy, "index.lifecycle.parse_origination_date": true}
		return s.client.call(ctx, http.MethodPut, "/"+index+"/_settings", nil, settings, nil)
	case RetentionISM:
		var answer struct {
			Failures bool
			Failed   []struct{ Reason string } `json:"failed_indices"`
		}
		err := s.client.call(ctx, http.MethodPost, "/_plugins/_ism/add/"+index, nil, obj{"policy_id": mappings.Policy}, &answer)
		if err == nil && answer.Failures && len(answer.Failed) > 0 {
			err = fmt.Errorf("retention: %s: %s", index, answer.Failed[0].Reason)
		}
		return err
	}
	return nil
}
