package dashboards

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"actionlog"
)

// Server is a Kibana or an OpenSearch Dashboards.
type Server struct {
	// URL is where it is, with its base path if it has one.
	URL *url.URL
	// Space is that of Kibana, Tenant that of OpenSearch Dashboards' security. Empty: the default one.
	Space, Tenant string
	// Username and Password, or APIKey. Empty: none.
	Username, Password, APIKey string
	// HTTP makes the requests; it follows no redirect.
	HTTP *http.Client
}

// maxAnswer is how much of an answer is read.
const maxAnswer = 4 << 20

// Import writes objects over those of the same IDs. Nil means that the server says of each
// that it took it.
func (s *Server) Import(ctx context.Context, o Options) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "actionlog.ndjson") // it wants this ending
	if err != nil {
		return err
	}
	_, err = part.Write(NDJSON(o))
	if err = errors.Join(err, form.Close()); err != nil {
		return err
	}
	where := s.URL
	if s.Space != "" {
		where = where.JoinPath("s", url.PathEscape(s.Space))
	}
	where = where.JoinPath("api", "saved_objects", "_import")
	where.RawQuery = "overwrite=true"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, where.String(), &body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", form.FormDataContentType())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("kbn-xsrf", "true")
	req.Header.Set("osd-xsrf", "true")
	if s.Tenant != "" {
		req.Header.Set("securitytenant", s.Tenant)
	}
	switch {
	case s.APIKey != "":
		req.Header.Set("Authorization", "ApiKey "+s.APIKey)
	case s.Username != "":
		req.SetBasicAuth(s.Username, s.Password)
	}
	resp, err := s.HTTP.Do(req)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", s.URL.Redacted(), actionlog.ErrUnavailable, err)
	}
	defer resp.Body.Close()
	if err := judge(resp, Objects(o)); err != nil {
		return fmt.Errorf("%s: %w", s.URL.Redacted(), err)
	}
	return nil
}

// answer is what the server says of an import.
type answer struct {
	Success      *bool     `json:"success"`
	SuccessCount int       `json:"successCount"`
	Errors       []refused `json:"errors"`
}

// refused is an object that was not taken, and why.
type refused struct {
	ID    string `json:"id"`
	Type  string `json:"type"`
	Error struct {
		Type       string      `json:"type"`
		Message    string      `json:"message"`
		References []Reference `json:"references"`
	} `json:"error"`
}

func (r refused) String() string {
	why := r.Error.Type
	if r.Error.Message != "" {
		why += ": " + r.Error.Message
	}
	for _, m := range r.Error.References {
		why += ", " + m.Type + " " + m.ID
	}
	return r.Type + " " + r.ID + ": " + why
}

// judge reads what the server answered to objects.
func judge(resp *http.Response, sent []Object) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the answer broke off; import again: %w: %w", actionlog.ErrUnavailable, err)
	}
	if resp.StatusCode != http.StatusOK {
		return judgeRefusal(resp, text)
	}
	var a answer
	if media, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err != nil || media != "application/json" || json.Unmarshal(text, &a) != nil || a.Success == nil {
		return fmt.Errorf("the answer is not that of an import (%s): is something between, a proxy or a sign-in page?", resp.Header.Get("Content-Type"))
	}
	if *a.Success && len(a.Errors) == 0 && a.SuccessCount == len(sent) {
		return nil
	}
	lines := []string{fmt.Sprintf("%d of %d objects were taken", a.SuccessCount, len(sent))}
	for _, r := range a.Errors {
		lines = append(lines, "  "+r.String())
	}
	return errors.New(strings.Join(lines, "\n"))
}

// judgeRefusal says what a status means.
func judgeRefusal(resp *http.Response, text []byte) error {
	var said struct{ Message string }
	_ = json.Unmarshal(text, &said) // HTML of a proxy has no message
	about := resp.Status
	if said.Message != "" {
		about += " (" + said.Message + ")"
	}
	switch {
	case resp.StatusCode/100 == 3:
		return fmt.Errorf("%s to %s: it wants to be signed in to, or is elsewhere", about, withoutQuery(resp.Header.Get("Location")))
	case resp.StatusCode == http.StatusUnauthorized:
		return fmt.Errorf("%s: the user, the password or the API key is not accepted", about)
	case resp.StatusCode == http.StatusForbidden:
		return fmt.Errorf("%s: who signed in may not write saved objects there", about)
	case resp.StatusCode == http.StatusNotFound:
		return fmt.Errorf("%s: it is not there, or there is no such space", about)
	case resp.StatusCode == http.StatusRequestEntityTooLarge:
		return fmt.Errorf("%s: it, or a proxy before it, takes no file of this size", about)
	case resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests:
		return fmt.Errorf("%s: %w", about, actionlog.ErrUnavailable)
	}
	return errors.New(about)
}

// withoutQuery is an address without what may be in it for one reader only.
func withoutQuery(address string) string {
	before, _, _ := strings.Cut(address, "?")
	return before
}
