package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"actionlog"
)

// judge makes a submission of a line, scrubbed. A line that is no valid action
// goes on its way all the same where it can be told whose it is: over NATS it
// becomes a dead letter, over HTTP the service refuses it with a reason.
func (r *publication) judge(line []byte) (actionlog.Submission, error) {
	line = bytes.TrimSpace(bytes.Clone(line))
	item, err := actionlog.Parse(line, r.scrubber)
	if err == nil {
		return actionlog.Submission{Institution: item.Institution, Category: item.Action.Category,
			ID: item.ID, Digest: item.Digest, Document: item.Document}, nil
	}
	var partly struct {
		ID          json.RawMessage `json:"id"`
		Institution json.RawMessage `json:"institution"`
		Category    json.RawMessage `json:"category"`
	}
	_ = json.Unmarshal(line, &partly) // what cannot be read is empty
	var institution struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(partly.Institution, &institution)
	document := r.scrubber.Bytes(line)
	s := actionlog.Submission{Institution: text(institution.ID), ID: text(partly.ID), Digest: sha256.Sum256(document), Document: document}
	category, known := actionlog.ParseCategory(text(partly.Category))
	s.Category = category
	if r.cmd.HTTP && s.Institution == "" {
		s.Institution = r.institution
	}
	if !actionlog.IsInstitutionID(s.Institution) || !known && !r.cmd.HTTP {
		return s, err
	}
	return s, nil
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // not a string: no text
	return s
}

// publish sends a batch until each of its lines is taken or refused. What the
// service cannot take now is sent again, so that a lost connection only costs
// time: what it had taken without saying so comes back as a duplicate.
func (r *publication) publish(ctx context.Context, batch []entry) error {
	pause := r.backOff
	last := time.Now() // when something was last achieved
	for len(batch) > 0 {
		again, cause := r.attempt(ctx, batch)
		if len(again) == 0 {
			return nil
		}
		if len(again) < len(batch) {
			last, pause = time.Now(), r.backOff
		}
		batch = again
		fatal := !errors.Is(cause, actionlog.ErrUnavailable)
		if fatal || ctx.Err() != nil || time.Since(last) >= r.cmd.GiveUpAfter {
			return r.giveUp(ctx, batch, cause)
		}
		r.bar.say("%v; trying again", cause)
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
		pause = min(2*pause, 5*time.Second)
	}
	return nil
}

// attempt sends a batch once and returns the lines that need another attempt,
// and why.
func (r *publication) attempt(ctx context.Context, batch []entry) (again []entry, cause error) {
	submissions := make([]actionlog.Submission, len(batch))
	for i := range batch {
		submissions[i] = batch[i].Submission
	}
	for i, receipt := range r.to.Publish(ctx, submissions) {
		var invalid *actionlog.InvalidError
		switch {
		case receipt.Err == nil && receipt.Duplicate:
			r.tally.Duplicates++
		case receipt.Err == nil:
			r.tally.Taken++
		case errors.As(receipt.Err, &invalid):
			r.refuse(batch[i], receipt.Err)
		default:
			again, cause = append(again, batch[i]), worse(cause, receipt.Err)
		}
	}
	return again, cause
}

// worse prefers the error that no other attempt mends: a token that is not
// accepted, rather than a connection that was lost.
func worse(a, b error) error {
	if a == nil || errors.Is(a, actionlog.ErrUnavailable) {
		return b
	}
	return a
}

func (r *publication) giveUp(ctx context.Context, batch []entry, cause error) error {
	r.tally.Unsent += int64(len(batch))
	if len(batch) > 0 {
		r.bar.say("%s and what follows was not published; publish again: what was taken is not doubled", batch[0].source)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("publish: %w", cause)
}

func (r *publication) refuse(e entry, err error) {
	r.tally.Refused++
	r.bar.say("%s: %v", e.source, err)
}

// drain counts the last lines that were skipped; nobody adds to them any more.
func (r *publication) drain(skipped <-chan string) {
	for {
		select {
		case where := <-skipped:
			r.skipped(where)
		default:
			return
		}
	}
}

func (r *publication) skipped(where string) {
	r.tally.Read++
	r.tally.Skipped++
	r.bar.say("%s: longer than %d bytes, skipped", where, r.cmd.MaxLine)
}
