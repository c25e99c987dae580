package elastic

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"actionlog"
)

// answerError is an answer of the engine that is not what was asked for.
type answerError struct {
	status  int
	request string
	cause
}

// cause is why, in the engine's words.
type cause struct {
	Type   string `json:"type"`
	Reason string `json:"reason"`
}

// Error implements error.
func (e *answerError) Error() string {
	return fmt.Sprintf("engine: %s: %d %s %s", e.request, e.status, e.Type, brief(e.Reason))
}

// Unwrap has it judged as "not now": what the engine refuses for good is found
// out by who asks.
func (e *answerError) Unwrap() error { return actionlog.ErrUnavailable }

func brief(s string) string {
	if len(s) <= 300 {
		return s
	}
	return strings.ToValidUTF8(s[:300], "") + "…"
}

func causeOf(body []byte) cause {
	var answer struct{ Error json.RawMessage }
	if json.Unmarshal(body, &answer) != nil {
		return cause{Reason: "it answered something that is not JSON"}
	}
	var c struct {
		cause
		Root []cause `json:"root_cause"`
	}
	if json.Unmarshal(answer.Error, &c) != nil {
		return cause{Reason: string(answer.Error)}
	}
	if len(c.Root) > 0 && c.Root[0].Reason != "" {
		return c.Root[0]
	}
	return c.cause
}

func hasStatus(err error, status int) bool {
	var a *answerError
	return errors.As(err, &a) && a.status == status
}
