//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// dieVariable names in the environment where the service kills itself: "place n", at the
// n-th time it comes there.
const dieVariable = "ACTIONLOG_TORTURE_DIE"

// An edit changes a source for the build of a test. The sources have no trace of it: the
// text stands in an overlay.
type edit struct{ file, old, new string }

// places are where the service can be made to die: around the write of a batch and the
// acknowledgement of each of its messages, and the same of the archive.
var places = map[string]edit{
	"before-write":  {"indexer/settle.go", "outcomes, err := x.Writer.Write(writing, items)", "die(\"before-write\")\n\toutcomes, err := x.Writer.Write(writing, items)"},
	"after-write":   {"indexer/settle.go", "for i, o := range outcomes {", "die(\"after-write\")\n\tfor i, o := range outcomes {"},
	"between-acks":  {"indexer/settle.go", "case actionlog.OutcomeNew:\n", "case actionlog.OutcomeNew:\n\t\tdie(\"between-acks\")\n"},
	"before-letter": {"indexer/settle.go", "if err := x.Dead.Add(ctx, l); err != nil {", "die(\"before-letter\")\n\tif err := x.Dead.Add(ctx, l); err != nil {"},
	"after-letter":  {"indexer/settle.go", "x.Metrics.actions.WithLabelValues(\"dead\").Inc()", "die(\"after-letter\")\n\tx.Metrics.actions.WithLabelValues(\"dead\").Inc()"},
}

// A control is a defect that the oracle must notice.
type control struct {
	edits []edit
	finds []string // what the oracle says of it, one of these
	needs []string // the faults that bring it out; nil: any
	clock bool     // with a clock of its own, see setClock
}

var controls = map[string]control{
	"acknowledged before it is written": {[]edit{{"indexer/settle.go", "n, err := x.write(ctx, items, written)", "for _, e := range written {\n\t\t\tx.ack(e.msg)\n\t\t}\n\t\tn, err := x.write(ctx, items, written)"}}, []string{"lost", "answers"}, nil, false},
	"no identity":                       {[]edit{{"indexer/indexer.go", "item.Position, item.ReceivedAt = position, received", "item.Position, item.ReceivedAt = position, received\n\tif position.Sequence%2 == 1 {\n\t\titem.ID += \"~\"\n\t}"}}, []string{"invented"}, nil, false},
	"the wrong day":                     {[]edit{{"internal/sqlite/write.go", "\t\td := items[i].Day()\n\t\tbyDay[d]", "\t\td := items[i].Day()\n\t\tif i%20 == 7 {\n\t\t\td = d.Add(-3)\n\t\t}\n\t\tbyDay[d]"}}, []string{"lost", "day", "answers"}, nil, false},
	"an item's error is dropped":        {[]edit{{"indexer/settle.go", "default:\n\t\tx.retry(e.msg)", "default:\n\t\tx.ack(e.msg)"}}, []string{"lost"}, []string{"a day is locked"}, false},
	"an export is cut short":            {[]edit{{"search/export.go", "\t\tyield()\n", "\t\tyield()\n\t\tif x.count == 500 {\n\t\t\tbreak\n\t\t}\n"}}, []string{"lost"}, nil, false},
	"the archive leaves some out":       {[]edit{{"internal/archive/writer.go", "\tfor i := range lines {\n\t\tw.text = appendLine", "\tfor i := range lines {\n\t\tif lines[i].Position.Sequence%100 == 0 {\n\t\t\tcontinue\n\t\t}\n\t\tw.text = appendLine"}}, []string{"archive"}, nil, false},
}

// hook is what the edits call.
const hook = `package indexer

import (
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
)

var came atomic.Int64

// die kills the process, as the power would, where a test wants it to.
func die(place string) {
	var wanted string
	var n int64
	if _, err := fmt.Sscan(os.Getenv("` + dieVariable + `"), &wanted, &n); err != nil || wanted != place {
		return
	}
	if came.Add(1) == n {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}
`

// build builds the service with the places where it dies, and with a defect.
func build(root, into string, c control) (binary string, err error) {
	if root, err = filepath.Abs(root); err != nil {
		return "", err
	}
	texts, err := edited(root, c)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for file, text := range texts {
		path := filepath.Join(into, strings.ReplaceAll(file, "/", "_"))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return "", err
		}
		replace[sourceOf(root, file)] = path
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(into, "overlay.json")
	if err := os.WriteFile(path, overlay, 0o600); err != nil {
		return "", err
	}
	binary = filepath.Join(into, "actionlog")
	cmd := exec.Command("go", "build", "-overlay", path, "-o", binary, "./cmd/actionlog")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building: %w\n%s", err, out)
	}
	return binary, nil
}

// sourceOf is where a source of this module lies, or, by its whole path, one of Go's.
func sourceOf(root, file string) string {
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(root, file)
}

// edited are the sources that are others in the build, and those that it has besides.
func edited(root string, c control) (texts map[string]string, err error) {
	texts = map[string]string{"indexer/torture_hook.go": hook}
	all := slices.Clone(c.edits)
	for _, name := range slices.Sorted(maps.Keys(places)) {
		all = append(all, places[name])
	}
	if c.clock {
		goroot, err := exec.Command("go", "env", "GOROOT").Output()
		if err != nil {
			return nil, fmt.Errorf("go env: %w", err)
		}
		e := clockEdit
		e.file = filepath.Join(strings.TrimSpace(string(goroot)), e.file)
		all = append(all, e)
		texts[filepath.Join(filepath.Dir(e.file), "torture_clock.go")] = clockHook
		texts["indexer/torture_clock.go"] = clockReader
	}
	for _, e := range all {
		if texts[e.file] == "" {
			text, err := os.ReadFile(sourceOf(root, e.file))
			if err != nil {
				return nil, err
			}
			texts[e.file] = string(text)
		}
		if n := strings.Count(texts[e.file], e.old); n != 1 {
			return nil, fmt.Errorf("%s: %q stands there %d times: the edit is out of date", e.file, e.old, n)
		}
		texts[e.file] = strings.Replace(texts[e.file], e.old, e.new, 1)
	}
	return texts, nil
}
