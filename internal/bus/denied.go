package bus

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"github.com/nats-io/nats.go"
)

// denied are the subjects that a server did not let us publish to. It says so
// aside: no answer comes to what was published, and without denied a publisher
// would wait for it until it gives up.
type denied struct {
	mu       sync.Mutex
	subjects map[string]bool
	more     chan struct{} // closed when there is another
}

func newDenied() *denied { return &denied{subjects: map[string]bool{}, more: make(chan struct{})} }

var publishViolation = regexp.MustCompile(`(?i)publish to "([^"]+)"`)

// note notes what a connection reports, and tells whether that was a denial.
func (d *denied) note(err error) bool {
	if d == nil || !errors.Is(err, nats.ErrPermissionViolation) {
		return false
	}
	subject := publishViolation.FindStringSubmatch(err.Error())
	if subject == nil {
		return false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.subjects[subject[1]] {
		d.subjects[subject[1]] = true
		close(d.more)
		d.more = make(chan struct{})
	}
	return true
}

// of returns why nothing can be published to a subject, and what is closed when
// more becomes known.
func (d *denied) of(subject string) (more <-chan struct{}, err error) {
	if d == nil {
		return nil, nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.subjects[subject] {
		return nil, fmt.Errorf("to %s: %w", subject, nats.ErrPermissionViolation)
	}
	return d.more, nil
}

// until is a context that ends when more becomes known.
func (d *denied) until(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if more, _ := d.of(""); more != nil {
		go func() {
			select {
			case <-more:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	return ctx, cancel
}
