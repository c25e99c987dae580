package indexer

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"actionlog"
)

// Proof says whether all that a day holds is archived.
type Proof func(ctx context.Context, day actionlog.Day) (bool, error)

// Days are the days that Sweep has leave; an actionlog.Keeper's, or those of a policy
// that drops them.
type Days interface {
	Days(ctx context.Context) ([]actionlog.DayInfo, error)
	Drop(ctx context.Context, day actionlog.Day) error
}

// Sweep drops days that are older than actionlog.OldestKept and proven to be
// archived. Without a proof (nil) nothing is ever dropped. It returns the days
// that were dropped, also with an error.
func Sweep(ctx context.Context, k Days, now time.Time, proof Proof, log *slog.Logger) (dropped []actionlog.Day, err error) {
	if proof == nil {
		return nil, nil
	}
	days, err := k.Days(ctx)
	if err != nil {
		return nil, fmt.Errorf("retention: %w", err)
	}
	for _, d := range days {
		if !d.Day.Before(actionlog.OldestKept(now)) || d.Damage != "" {
			continue
		}
		archived, err := proof(ctx, d.Day)
		if err != nil {
			return dropped, fmt.Errorf("retention: proof of %s: %w", d.Day, err)
		}
		if !archived {
			log.Warn("a day is past its time but not proven to be archived; it stays", "day", d.Day)
			continue
		}
		if err := k.Drop(ctx, d.Day); err != nil {
			return dropped, fmt.Errorf("retention: %w", err)
		}
		log.Info("a day leaves the store", "day", d.Day, "actions", d.Actions)
		dropped = append(dropped, d.Day)
	}
	return dropped, nil
}
