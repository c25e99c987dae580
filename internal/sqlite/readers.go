package sqlite

import (
	"context"
	"errors"
	"sync"

	"zombiezen.com/go/sqlite"
)

// maxReaders is how many look the directory up at the same time.
const maxReaders = 2

// readers are the directory's connections for reading. The one that was used
// last, whose cache is warm, is used first.
type readers struct {
	lent chan struct{} // one for each connection that is lent

	mu   sync.Mutex
	idle []*sqlite.Conn // none when closed
}

func (r *readers) open(path string) error {
	r.lent = make(chan struct{}, maxReaders)
	for range maxReaders {
		c, err := open(path, directorySchema, false, directoryCacheKiB)
		if err != nil {
			return err
		}
		r.idle = append(r.idle, c)
	}
	return nil
}

// lend waits for a connection; errGone when they are closed.
func (r *readers) lend(ctx context.Context) (*sqlite.Conn, error) {
	select {
	case r.lent <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	last := len(r.idle) - 1
	if last < 0 {
		<-r.lent
		return nil, errGone
	}
	c := r.idle[last]
	r.idle = r.idle[:last]
	return c, nil
}

func (r *readers) giveBack(c *sqlite.Conn) {
	r.mu.Lock()
	r.idle = append(r.idle, c)
	r.mu.Unlock()
	<-r.lent
}

// close waits until nothing is lent, and closes.
func (r *readers) close() (err error) {
	for range maxReaders {
		r.lent <- struct{}{}
	}
	r.mu.Lock()
	for _, c := range r.idle {
		err = errors.Join(err, c.Close())
	}
	r.idle = nil
	r.mu.Unlock()
	for range maxReaders {
		<-r.lent
	}
	return err
}

// take takes the connections of others over; its own are closed.
func (r *readers) take(other *readers) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.idle, other.idle = other.idle, nil
}
