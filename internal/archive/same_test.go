package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"actionlog"
)

// Two who write the same lines give their segment the same name: the one that comes too late leaves it to the other.
func TestSecondWriterOfTheSame(t *testing.T) {
	dir := t.TempDir()
	folder, err := NewFolder(filepath.Join(dir, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	list := lines(1, 100)
	var writers []*Writer
	for i := range 2 {
		w, err := OpenWriter(t.Context(), Options{Storage: folder, Dir: filepath.Join(dir, fmt.Sprint(i)), KeyFile: filepath.Join(dir, "key"), Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			err = w.Append(t.Context(), list)
		}
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		writers = append(writers, w)
	}
	if err := writers[0].Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1100 * time.Millisecond) // it is sealed in another second
	if err := writers[1].Seal(t.Context()); !errors.Is(err, ErrExists) {
		t.Errorf("the second writer: %v", err)
	}
	if r := verify(t, dir, writers[0].PublicKey()); len(r.Findings) > 0 || r.Actions != 100 {
		t.Errorf("%+v", r)
	}
}

// What is nested as deep as a reader of JSON takes makes no line that none takes: it is no action, and stands as text.
func TestDeepDocument(t *testing.T) {
	for _, deep := range []int{actionlog.MaxDepth, actionlog.MaxDepth + 1, 9_999, 10_000, 10_001} {
		for _, text := range []string{strings.Repeat("[", deep) + strings.Repeat("]", deep), strings.Repeat("[", deep) + "\n" + strings.Repeat("]", deep)} {
			l := Line{Position: actionlog.Position{Stream: "s1", Sequence: 1}, ReceivedAt: time.Now().UTC(), Institution: "uni", Dead: actionlog.DeadInvalid, Document: []byte(text)}
			line := appendLine(nil, &l)
			if _, err := readWhole(line); err != nil {
				t.Errorf("%d deep: %v", deep, err)
			}
			if back, err := parseLine(line); err != nil || string(back.Document) != text {
				t.Errorf("%d deep: another document comes back, %v", deep, err)
			}
			if !json.Valid(line) {
				t.Errorf("%d deep: the line is too deep for a reader", deep)
			}
		}
	}
}
