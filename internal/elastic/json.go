package elastic

import (
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// jsonWriter appends JSON. The documents of actions are written by it, because
// encoding/json took as long for them as all that is done to an action before.
type jsonWriter struct{ b []byte }

// open begins an object, as a member (key "" in the beginning); close ends it and
// takes it back where nothing stands in it.
func (w *jsonWriter) open(key string) (start int) {
	start = len(w.b)
	if key != "" {
		w.key(key)
	}
	w.b = append(w.b, '{')
	return start
}

func (w *jsonWriter) close(start int) {
	if w.b[len(w.b)-1] == '{' && start > 0 {
		w.b = w.b[:start]
		return
	}
	w.b = append(w.b, '}')
}

// key writes the key of a member and what stands before it.
func (w *jsonWriter) key(key string) {
	if last := w.b[len(w.b)-1]; last != '{' && last != '[' {
		w.b = append(w.b, ',')
	}
	w.b = append(append(append(w.b, '"'), key...), '"', ':')
}

// str writes a member that is a string, unless it is empty.
func (w *jsonWriter) str(key, value string) {
	if value == "" {
		return
	}
	w.key(key)
	w.quote(value)
}

// list writes a member that is an array of strings, unless there are none.
func (w *jsonWriter) list(key string, values []string) {
	if len(values) == 0 {
		return
	}
	w.key(key)
	w.b = append(w.b, '[')
	for i, v := range values {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.quote(v)
	}
	w.b = append(w.b, ']')
}

func (w *jsonWriter) number(key string, n uint64) {
	w.key(key)
	w.b = strconv.AppendUint(w.b, n, 10)
}

func (w *jsonWriter) time(key string, t time.Time) {
	w.key(key)
	w.b = append(w.b, '"')
	w.b = t.UTC().AppendFormat(w.b, time.RFC3339Nano)
	w.b = append(w.b, '"')
}

// quote writes a string; bytes that are not UTF-8 become U+FFFD.
func (w *jsonWriter) quote(s string) {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	w.b = append(w.b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		w.b = append(w.b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			w.b = append(w.b, '\\', c)
		case '\n':
			w.b = append(w.b, '\\', 'n')
		default:
			w.b = append(w.b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	w.b = append(append(w.b, s[start:]...), '"')
}

const hexDigits = "0123456789abcdef"
