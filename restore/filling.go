package restore

import (
	"context"
	"errors"
	"fmt"

	"actionlog"
)

// batchItems and batchBytes are how much is written at once.
const batchItems, batchBytes = 2000, 8 << 20

// filling writes archived actions into a store, batch by batch, and counts them.
type filling struct {
	*Runner
	to actionlog.Writer
	actionlog.RestoreProgress
	items []actionlog.Item
	bytes int
}

// take takes an action of the archive; with a day that keep refuses it is only read.
func (f *filling) take(ctx context.Context, a *Archived, keep func(actionlog.Day) bool) error {
	f.Read++
	item, err := actionlog.Parse(a.Document, nil)
	if err != nil {
		f.LeftOut++
		f.Desk.log().Warn("an archived action is left out: by today's rules it is none", "position", a.Position, "error", err)
		return nil
	}
	if keep != nil && !keep(item.Day()) {
		return nil
	}
	if actionlog.CheckTime(item.OccurredAt, a.ReceivedAt) != nil { // perhaps a dead letter for that
		switch _, err := f.Dead.Get(ctx, a.Position); {
		case err == nil:
			f.LeftOut++
			return nil
		case !errors.Is(err, actionlog.ErrNotFound):
			return err
		}
	}
	item.Position, item.ReceivedAt = a.Position, a.ReceivedAt
	return f.add(ctx, item)
}

func (f *filling) add(ctx context.Context, item actionlog.Item) error {
	f.items, f.bytes = append(f.items, item), f.bytes+len(item.Document)
	if len(f.items) < batchItems && f.bytes < batchBytes {
		return nil
	}
	return f.flush(ctx)
}

// flush writes what was collected.
func (f *filling) flush(ctx context.Context) error {
	if len(f.items) == 0 {
		return nil
	}
	outcomes, err := f.to.Write(ctx, f.items)
	if err != nil {
		return err
	}
	for i, o := range outcomes {
		switch o.Kind {
		case actionlog.OutcomeNew:
			f.Restored++
		case actionlog.OutcomeRepeat:
		case actionlog.OutcomeCollision, actionlog.OutcomeRefused: // a dead letter when it came, too
			f.LeftOut++
			f.Desk.log().Warn("an archived action is left out: the store does not take it", "position", f.items[i].Position, "error", o.Err)
		default:
			return fmt.Errorf("action %s of %s is not written: %w", f.items[i].ID, f.items[i].Day(), errors.Join(o.Err, actionlog.ErrUnavailable))
		}
	}
	clear(f.items)
	f.items, f.bytes = f.items[:0], 0
	return nil
}
