package bus

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"actionlog"

	"github.com/nats-io/nats.go/jetstream"
)

// stateBucket is the key-value bucket that holds all buckets of State.
const stateBucket = "actionlog-state"

// maxValueBytes is the limit that actionlog.State names.
const maxValueBytes = 64 << 10

// State is an actionlog.State on a key-value bucket of JetStream. A revision is the
// sequence of the bucket's stream, which is never used twice.
type State struct {
	kv jetstream.KeyValue
	js jetstream.JetStream
}

var _ actionlog.State = (*State)(nil)

// State returns the state of this connection's server; it is made where there is
// none.
func (b *Bus) State(ctx context.Context) (s *State, err error) {
	return s, b.patiently(ctx, "the state", func(ctx context.Context) error {
		s, err = b.openState(ctx)
		return err
	})
}

func (b *Bus) openState(ctx context.Context) (*State, error) {
	kv, err := b.JS.KeyValue(ctx, stateBucket)
	if errors.Is(err, jetstream.ErrBucketNotFound) {
		kv, err = b.JS.CreateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: stateBucket, History: 1, Storage: jetstream.FileStorage, Replicas: b.copies(0)})
		if errors.Is(err, jetstream.ErrBucketExists) { // somebody else was first
			kv, err = b.JS.KeyValue(ctx, stateBucket)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w: %w", actionlog.ErrUnavailable, err)
	}
	return &State{kv, b.JS}, nil
}

// Buckets and keys may be any text; of a key of JetStream there are few letters.
func encodeKey(text string) string { return "k" + base64.RawURLEncoding.EncodeToString([]byte(text)) }

func stateKey(bucket, key string) string { return encodeKey(bucket) + "." + encodeKey(key) }

// Get implements actionlog.State.
func (s *State) Get(ctx context.Context, bucket, key string) (value []byte, revision uint64, err error) {
	e, err := s.kv.Get(ctx, stateKey(bucket, key))
	switch {
	case errors.Is(err, jetstream.ErrKeyNotFound):
		return nil, 0, fmt.Errorf("%s %s: %w", bucket, key, actionlog.ErrNotFound)
	case err != nil:
		return nil, 0, fmt.Errorf("state: %w: %w", actionlog.ErrUnavailable, err)
	}
	return e.Value(), e.Revision(), nil
}

// Put implements actionlog.State.
func (s *State) Put(ctx context.Context, bucket, key string, value []byte, revision uint64) (next uint64, err error) {
	if len(value) > maxValueBytes {
		return 0, actionlog.Invalidf("value", "is longer than %d bytes", maxValueBytes)
	}
	if revision == 0 {
		next, err = s.kv.Create(ctx, stateKey(bucket, key), value)
	} else {
		next, err = s.kv.Update(ctx, stateKey(bucket, key), value, revision)
	}
	switch {
	case err == nil:
		return next, nil
	case errors.Is(err, jetstream.ErrKeyExists), isAPIError(err, jetstream.JSErrCodeStreamWrongLastSequence),
		isAPIError(err, jetstream.JSErrCodeStreamWrongLastSequenceConstant): // of a bucket that several servers keep
		return 0, fmt.Errorf("%s %s: %w", bucket, key, actionlog.ErrConflict)
	}
	return 0, fmt.Errorf("state: %w: %w", actionlog.ErrUnavailable, err)
}

// Delete implements actionlog.State.
func (s *State) Delete(ctx context.Context, bucket, key string) error {
	there, err := s.holds(ctx, stateKey(bucket, key))
	if err != nil || !there { // no mark of a deletion for what is not there
		return err
	}
	if err := s.kv.Purge(ctx, stateKey(bucket, key)); err != nil {
		return fmt.Errorf("state: %w: %w", actionlog.ErrUnavailable, err)
	}
	return nil
}

// holds asks the leader whether there is anything of a key: a server that is behind may not have it yet, and what is to be
// deleted would stay.
func (s *State) holds(ctx context.Context, key string) (bool, error) {
	stream, err := s.js.Stream(ctx, "KV_"+stateBucket)
	var info *jetstream.StreamInfo
	if err == nil {
		info, err = stream.Info(ctx, jetstream.WithSubjectFilter("$KV."+stateBucket+"."+key))
	}
	if err != nil {
		return false, fmt.Errorf("state: %w: %w", actionlog.ErrUnavailable, err)
	}
	return len(info.State.Subjects) > 0, nil
}

// List implements actionlog.State.
func (s *State) List(ctx context.Context, bucket string) (keys []string, err error) {
	prefix := encodeKey(bucket) + "."
	found, err := s.kv.ListKeysFiltered(ctx, prefix+">")
	if err != nil {
		return nil, fmt.Errorf("state: %w: %w", actionlog.ErrUnavailable, err)
	}
	defer func() { _ = found.Stop() }() // it ended by itself
	for k := range found.Keys() {
		raw, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(strings.TrimPrefix(k, prefix), "k"))
		if err != nil {
			return nil, fmt.Errorf("state: key %q: %w", k, err)
		}
		keys = append(keys, string(raw))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}
