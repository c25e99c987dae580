package main

import (
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress is a bar on standard error, where that is a terminal; elsewhere
// nothing. It is written to by one goroutine at a time.
type progress struct {
	bar *progressbar.ProgressBar
	out *console
}

// newProgress begins a bar of so many bytes, -1 where that is not known.
func newProgress(out *console, what string, bytes int64) *progress {
	p := &progress{out: out}
	if !isTerminal(out.err) {
		return p
	}
	p.bar = progressbar.NewOptions64(bytes,
		progressbar.OptionSetWriter(out.err),
		progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true),
		progressbar.OptionShowTotalBytes(true),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionFullWidth(),
	)
	return p
}

// Write counts bytes; it never fails.
func (p *progress) Write(b []byte) (int, error) {
	p.add(len(b))
	return len(b), nil
}

func (p *progress) add(n int) {
	if p.bar != nil {
		_ = p.bar.Add(n) // a bar that cannot be drawn stops nothing
	}
}

// say writes a remark without tearing the bar.
func (p *progress) say(format string, args ...any) {
	if p.bar != nil {
		_ = p.bar.Clear()
	}
	p.out.say(format, args...)
}

func (p *progress) end() {
	if p != nil && p.bar != nil {
		_ = p.bar.Clear()
	}
}
