package actionlog

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// State keeps small values that are not actions: tokens, keys, jobs, saved
// searches, leases. Values are at most 64 KiB; a bucket holds thousands, not
// millions. A write is durable when it returns.
type State interface {
	// Get returns a value and its revision, or ErrNotFound.
	Get(ctx context.Context, bucket, key string) (value []byte, revision uint64, err error)
	// Put stores a value if revision is the current one (0: it must not exist
	// yet), and returns the new revision; otherwise ErrConflict. A key that was
	// deleted and made again does not get a revision that it had before.
	Put(ctx context.Context, bucket, key string, value []byte, revision uint64) (uint64, error)
	// Delete removes a value; one that is not there is not an error.
	Delete(ctx context.Context, bucket, key string) error
	// List returns the bucket's keys in ascending order.
	List(ctx context.Context, bucket string) ([]string, error)
}

// StateFormat is the version of what is kept in a State, and, where several processes share
// it on NATS servers, of the streams beside it. It is raised by a change that an earlier
// program would misread.
const StateFormat = 1

// CheckState refuses a state that a newer version of the program has written to, and marks
// one that has no mark.
func CheckState(ctx context.Context, state State) error {
	const bucket, key = "format", "state"
	text, _, err := state.Get(ctx, bucket, key)
	if errors.Is(err, ErrNotFound) {
		_, err = state.Put(ctx, bucket, key, []byte(strconv.Itoa(StateFormat)), 0)
		if !errors.Is(err, ErrConflict) {
			return err
		}
		text, _, err = state.Get(ctx, bucket, key) // another process was first
	}
	if err != nil {
		return err
	}
	version, err := strconv.Atoi(string(text))
	if err != nil || version < 1 {
		return fmt.Errorf("state: %q is not a format", text)
	}
	if version > StateFormat {
		return fmt.Errorf("state: is of format %d, of a newer version of this program, which knows %d", version, StateFormat)
	}
	return nil
}

// GetValue is State.Get of what PutValue put.
func GetValue[T any](ctx context.Context, state State, bucket, key string) (v T, revision uint64, err error) {
	text, revision, err := state.Get(ctx, bucket, key)
	if err == nil {
		err = json.Unmarshal(text, &v)
	}
	return v, revision, err
}

// PutValue is State.Put of a value as JSON.
func PutValue(ctx context.Context, state State, bucket, key string, v any, revision uint64) (uint64, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return 0, err
	}
	return state.Put(ctx, bucket, key, text, revision)
}

// KeyOf returns a secret of the service by its name, 32 random bytes that are made on first
// use. All processes that share a state have the same.
func KeyOf(ctx context.Context, state State, name string) ([]byte, error) {
	const bucket = "keys"
	key, _, err := state.Get(ctx, bucket, name)
	if !errors.Is(err, ErrNotFound) {
		return key, err
	}
	key = make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return nil, err
	}
	_, err = state.Put(ctx, bucket, name, key, 0)
	if errors.Is(err, ErrConflict) { // another process was first
		key, _, err = state.Get(ctx, bucket, name)
	}
	return key, err
}

// Publisher puts action documents on the stream.
type Publisher interface {
	// Publish returns one receipt per submission, in their order. A receipt
	// without an error means that the stream holds the document durably.
	Publish(ctx context.Context, submissions []Submission) []Receipt
}

// Submission is a document on its way to the stream, already judged by Parse.
type Submission struct {
	Institution string
	Category    Category
	ID          string
	Digest      [32]byte
	Document    []byte // scrubbed
}

// Receipt says what the stream did. Err wraps ErrUnavailable where another
// attempt may succeed.
type Receipt struct {
	Position  Position
	Duplicate bool // the stream held the same content already
	Err       error
}

// Progress tells how far the stream has been taken into the store.
type Progress interface {
	// Settled returns the instant until which everything that the stream took
	// (by ReceivedAt) is settled: indexed, a repeat, a dead letter or too old,
	// and visible to every search that begins after Settled returned. It never
	// claims too much, and may claim what it claimed a second before; it is ErrUnavailable
	// where the stream cannot be asked.
	Settled(ctx context.Context) (time.Time, error)
}

// DeadLetter is an action that could not be indexed.
type DeadLetter struct {
	Position    Position  // of the original on the stream; identifies the dead letter
	ReceivedAt  time.Time // of the original
	Institution string    // as its subject says
	Reason      string    // a DeadReason
	Field       string    // JSON pointer to what is wrong, where there is one
	Detail      string    // a sentence
	Subject     string    // on which it came
	Document    []byte    // as it came, scrubbed; need not be JSON or UTF-8
}

// Reasons of dead letters.
const (
	DeadInvalid   = "invalid"      // not a valid action/1 document
	DeadSubject   = "subject"      // its subject names another institution or category
	DeadFuture    = "future"       // more than MaxAhead in the future
	DeadCollision = "id_collision" // other content under the same identity
	DeadRefused   = "refused"      // the store will never take it
)

// DeadLetters keeps dead letters until they are replayed or dropped.
type DeadLetters interface {
	// Add stores a dead letter durably; one with the same position is the same
	// dead letter and changes nothing.
	Add(ctx context.Context, d DeadLetter) error
	// List returns dead letters in the order in which they were added, at most
	// limit, behind the cursor after (0 is the beginning), and fewer where they are
	// large; next is 0 at the end.
	List(ctx context.Context, after uint64, limit int) (letters []DeadLetter, next uint64, err error)
	// Get returns one, or ErrNotFound.
	Get(ctx context.Context, p Position) (DeadLetter, error)
	// Drop removes one for good, or ErrNotFound.
	Drop(ctx context.Context, p Position) error
	// Count counts them, by reason.
	Count(ctx context.Context) (map[string]int64, error)
}
