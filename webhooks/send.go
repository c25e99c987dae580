package webhooks

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// verdict is what became of a message.
type verdict struct {
	taken bool
	gone  bool          // the receiver wants nothing any more (410)
	after time.Duration // the receiver says when to come again; 0: it does not
	why   string        // it was not taken
}

// maxAfter is how far in the future a receiver may have itself be asked again.
const maxAfter = 24 * time.Hour

// send sends a message once.
func send(ctx context.Context, client *http.Client, address, id string, at time.Time, body []byte, secrets ...[]byte) verdict {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return verdict{why: err.Error()}
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "actionlog-webhooks/1")
	sign(req.Header, id, at, body, secrets...)
	resp, err := client.Do(req)
	if err != nil {
		return verdict{why: reasonOf(err)}
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10)) // the connection may be used again
	return judged(resp, at)
}

func judged(resp *http.Response, now time.Time) verdict {
	switch {
	case resp.StatusCode/100 == 2:
		return verdict{taken: true}
	case resp.StatusCode == http.StatusGone:
		return verdict{gone: true, why: "the address answers 410: it wants nothing any more"}
	}
	return verdict{after: retryAfter(resp.Header.Get("Retry-After"), now), why: fmt.Sprintf("the address answers %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))}
}

// retryAfter reads the header: seconds, or a time (RFC 9110, 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	after := time.Duration(0)
	if seconds, err := strconv.ParseInt(text, 10, 32); err == nil {
		after = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		after = at.Sub(now)
	}
	return max(0, min(after, maxAfter))
}

// reasonOf says why there was no answer, without the address.
func reasonOf(err error) string {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		if wrapped.Timeout() {
			return fmt.Sprintf("there was no answer within %s", sendWithin)
		}
		err = wrapped.Err
	}
	return err.Error()
}

// backOff is after what time a message that was not taken is sent again, after so many
// tries; the last goes on and on.
var backOff = [...]time.Duration{5 * time.Second, 15 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 6 * time.Hour}

// givenUp is for how long a webhook may fail before it is stopped. Its place is kept.
const givenUp = 5 * 24 * time.Hour

// pauseAfter is how long to wait after so many tries that failed; spread is from 0 to 1, so
// that what failed together is not sent again together.
func pauseAfter(tries int, spread float64) time.Duration {
	d := backOff[min(max(tries, 1), len(backOff))-1]
	return d + time.Duration(spread*0.2*float64(d))
}
