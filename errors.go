package actionlog

import (
	"errors"
	"fmt"
)

// There are three kinds of error that cross a port. They are translated twice
// only: to an acknowledgement in package indexer, to an HTTP status in package
// search. Everything else is a defect and is reported as such.
var (
	// ErrNotFound: what was named does not exist, or the caller may not know
	// that it does.
	ErrNotFound = errors.New("not found")
	// ErrUnavailable: the operation may succeed later, unchanged. An answer
	// that would be partial is this error, never a short answer.
	ErrUnavailable = errors.New("unavailable")
	// ErrConflict: the revision that a State write was based on is not the
	// current one.
	ErrConflict = errors.New("conflict")
)

// InvalidError says that a value cannot be accepted, and which.
type InvalidError struct {
	// Field names what is wrong: a JSON pointer (RFC 6901) into a document,
	// such as "/actor/kind", or the name of a query parameter or option. It is
	// empty where the whole input is meant.
	Field string
	// Reason is a short sentence without a full stop, such as "is missing".
	Reason Message
}

// At is the same error about another field.
func (e *InvalidError) At(field string) *InvalidError { return &InvalidError{field, e.Reason} }

// Message is a sentence in English and what stands in it, as fmt.Sprintf takes them: the
// Format names it for who says it in another language. An argument may be a Message.
type Message struct {
	Format string
	Args   []any
}

func (m Message) String() string { return fmt.Sprintf(m.Format, m.Args...) }

func (e *InvalidError) Error() string {
	if e.Field == "" {
		return e.Reason.String()
	}
	return e.Field + ": " + e.Reason.String()
}

// Invalidf makes an *InvalidError for field.
func Invalidf(field, format string, args ...any) error {
	return &InvalidError{field, Message{format, args}}
}
