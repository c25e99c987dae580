package main

import (
	"context"
	"time"

	"actionlog"
	"actionlog/feed"
	"actionlog/internal/archive"
	"actionlog/internal/bus"
	"actionlog/search"
)

// addFeed gives the API the log in the order of the stream, where there is an archive.
func (r *running) addFeed(ctx context.Context, api *search.Options, nats *bus.Bus, store actionlog.Searcher, scrubber *actionlog.Scrubber, failed chan<- error) error {
	if r.cmd.Archive == archiveOff {
		return nil
	}
	name, _ := r.archivePaths()
	storage, err := storageAt(name)
	if err != nil {
		return err
	}
	f := &archive.Feed{Storage: storage}
	if isS3(name) { // what is not sealed is on the stream only
		f.Tail = streamTail{nats, scrubber}
	}
	api.Feed = feedReader{&feed.Log{Archive: feedPort{f}, Store: store, Settled: nats.SettledPosition, Oldest: func() actionlog.Day { return actionlog.OldestKept(time.Now()) }}}
	return r.addWebhooks(ctx, api, failed)
}

// feedPort is the archive as package feed asks it.
type feedPort struct{ feed *archive.Feed }

func placeOf(at feed.Place) (archive.Place, error) {
	if at == "" {
		return archive.Place{}, nil
	}
	p, err := archive.ParsePlace(string(at))
	if err != nil {
		return p, actionlog.Invalidf("after", "is not a cursor of this service")
	}
	return p, nil
}

// Page implements feed.Archive.
func (f feedPort) Page(ctx context.Context, institution string, at feed.Place, most int) (lines []feed.Line, next feed.Place, more bool, err error) {
	p, err := placeOf(at)
	if err != nil {
		return nil, "", false, err
	}
	page, err := f.feed.Page(ctx, institution, p, most)
	for i, l := range page.Lines {
		lines = append(lines, feed.Line{Position: l.Position, ReceivedAt: l.ReceivedAt, Day: l.Day, Document: l.Document, Next: feed.Place(page.Behind[i].String())})
	}
	return lines, feed.Place(page.Next.String()), page.More, err
}

// Start implements feed.Archive.
func (f feedPort) Start(ctx context.Context, since time.Time) (feed.Place, error) {
	p, err := f.feed.Start(ctx, since)
	return feed.Place(p.String()), err
}

// streamTail is the stream as the archive's feed reads what is not sealed.
type streamTail struct {
	nats     *bus.Bus
	scrubber *actionlog.Scrubber
}

// After implements archive.Tail.
func (s streamTail) After(ctx context.Context, p actionlog.Position, most int) (list []archive.Line, err error) {
	stream, messages, err := s.nats.Behind(ctx, p, most)
	for i := range messages {
		list = append(list, archive.LineOf(stream, (*archive.Message)(&messages[i]), s.scrubber))
	}
	return list, err
}

// At implements archive.Tail.
func (s streamTail) At(ctx context.Context, p actionlog.Position) (*archive.Line, error) {
	m, err := s.nats.At(ctx, p)
	if err != nil {
		return nil, err
	}
	l := archive.LineOf(p.Stream, (*archive.Message)(&m), s.scrubber)
	return &l, nil
}

// feedReader is package feed as package search asks it.
type feedReader struct{ log *feed.Log }

// Page implements search.Feed.
func (f feedReader) Page(ctx context.Context, q actionlog.Query, at string, most int) (search.FeedPage, error) {
	page, err := f.log.Page(ctx, q, feed.Place(at), most)
	shown := search.FeedPage{Records: page.Records, Next: string(page.Next), More: page.More}
	for _, p := range page.Behind {
		shown.Behind = append(shown.Behind, string(p))
	}
	return shown, err
}

// Start implements search.Feed.
func (f feedReader) Start(ctx context.Context, since time.Time) (string, error) {
	at, err := f.log.Start(ctx, since)
	return string(at), err
}
