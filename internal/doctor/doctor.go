// Package doctor judges a set-up: facts in, findings in plain words out. It looks at
// nothing itself, and so changes nothing: who asks it brings the facts.
package doctor

import (
	"fmt"
	"slices"
	"time"
)

// State is what was found.
type State string

// The states of a finding, the better first.
const (
	OK      State = "ok"
	Skipped State = "not looked at"
	Warning State = "warning" // it works, and somebody should look after it
	Wrong   State = "wrong"
)

// Finding is what was found about one thing, and what to do about it.
type Finding struct {
	Check string `json:"check"`
	State State  `json:"state"`
	About string `json:"about"`
	Do    string `json:"do,omitempty"`
}

// Report collects findings.
type Report struct {
	Findings []Finding `json:"findings"`
}

// Count is how many findings are of a state.
func (r *Report) Count(s State) (n int) {
	for _, f := range r.Findings {
		if f.State == s {
			n++
		}
	}
	return n
}

// OK reports something that is as it should be.
func (r *Report) OK(check, about string, args ...any) { r.add(check, OK, "", about, args) }

// Skip reports something that was not looked at, and why.
func (r *Report) Skip(check, about string, args ...any) { r.add(check, Skipped, "", about, args) }

// Warn reports something that somebody should look after.
func (r *Report) Warn(check, do, about string, args ...any) { r.add(check, Warning, do, about, args) }

// Wrong reports something that is wrong.
func (r *Report) Wrong(check, do, about string, args ...any) { r.add(check, Wrong, do, about, args) }

func (r *Report) add(check string, s State, do, about string, args []any) {
	r.Findings = append(r.Findings, Finding{check, s, fmt.Sprintf(about, args...), do})
}

// percent shows a share.
func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// ago shows a time that is over in words.
func ago(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d seconds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d minutes", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d hours", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

const (
	clockWarning = 5 * time.Second
	clockWrong   = time.Minute
)

// Clock judges how far another's clock is ahead of ours.
func (r *Report) Clock(check, whose string, ahead time.Duration) {
	about, off := whose+"'s clock is %s "+map[bool]string{true: "ahead of", false: "behind"}[ahead > 0]+" this machine's", ahead.Abs()
	const do = "have both follow a time server (chronyc tracking)"
	switch {
	case off > clockWrong:
		r.Wrong(check, do, about, off.Round(time.Second))
	case off > clockWarning:
		r.Warn(check, do, about, off.Round(time.Second))
	default:
		r.OK(check, "%s's clock agrees with this machine's", whose)
	}
}

// Room judges how much of a disk is free.
func (r *Report) Room(dir string, free, size int64) {
	if size <= 0 {
		r.Skip("room", "the size of the disk with %s is not known here", dir)
		return
	}
	const do = "a larger disk, the archive on another one (--archive), fewer restores and exports; docs/runbook.md, ActionLogDiskFilling"
	share := float64(free) / float64(size)
	switch about := "%s of the disk with %s is free"; {
	case share < 0.05:
		r.Wrong("room", do, about+": when it is full, publishing is refused", percent(share), dir)
	case share < 0.15:
		r.Warn("room", do, about, percent(share), dir)
	default:
		r.OK("room", about, percent(share), dir)
	}
}

// FileSystem judges what kind of file system a folder is on, as Linux names it.
func (r *Report) FileSystem(dir, kind string) {
	switch {
	case kind == "":
		r.Skip("file system", "its kind is not known here")
	case kind == "tmpfs" || kind == "ramfs":
		r.Wrong("file system", "put --data on a disk", "%s is in memory (%s): all of it is gone when the machine stops", dir, kind)
	case slices.Contains([]string{"nfs", "cifs", "smb2", "9p", "fuse"}, kind):
		r.Wrong("file system", "put --data on a disk of this machine", "%s is on %s: SQLite and the stream need locks and syncs that it does not promise", dir, kind)
	default:
		r.OK("file system", "%s is on %s, which syncs", dir, kind)
	}
}

// Certificate judges until when a certificate is good.
func (r *Report) Certificate(check, file string, until, now time.Time) {
	left := until.Sub(now)
	const do = "renew it, and put it in the same place"
	switch {
	case left <= 0:
		r.Wrong(check, do, "the certificate in %s ended %s ago: nobody can connect", file, ago(-left))
	case left < 3*24*time.Hour:
		r.Wrong(check, do, "the certificate in %s ends in %s", file, ago(left))
	case left < 21*24*time.Hour:
		r.Warn(check, do, "the certificate in %s ends in %s", file, ago(left))
	default:
		r.OK(check, "the certificate in %s is good for %s", file, ago(left))
	}
}

// Backup judges when the last backup was made; zero: none is known of.
func (r *Report) Backup(at, now time.Time) {
	switch age := now.Sub(at); {
	case at.IsZero():
		r.Warn("backup", "actionlog backup FOLDER each night (docs/backup.md); where it is done otherwise: touch DIR/backup.json", "no backup is known of")
	case age > 26*time.Hour:
		r.Warn("backup", "look why actionlog backup does not run", "the last backup is %s old", ago(age))
	default:
		r.OK("backup", "the last backup is %s old", ago(age))
	}
}

// Token is what is judged of a token.
type Token struct {
	ID, Name string
	All      bool // every institution
	Roles    int
	Expires  time.Time // zero: never
	Used     time.Time // zero: never
}

// everyRole is how many roles one has who may do everything.
const everyRole = 6

// Tokens judges all tokens.
func (r *Report) Tokens(list []Token, now time.Time) {
	var over, mighty, idle []string
	for _, t := range list {
		name := t.ID + " (" + t.Name + ")"
		switch {
		case !t.Expires.IsZero() && t.Expires.Before(now):
			over = append(over, name)
		case t.All && t.Roles >= everyRole && t.Expires.IsZero() && len(list) > 1:
			mighty = append(mighty, name)
		case !t.Used.IsZero() && now.Sub(t.Used) > 90*24*time.Hour:
			idle = append(idle, name)
		}
	}
	const do = "actionlog token revoke ID"
	if len(over) > 0 {
		r.Warn("tokens", do, "%d are over: %s", len(over), some(over))
	}
	if len(mighty) > 0 {
		r.Warn("tokens", "create tokens with the roles that people need, and revoke it", "%d may do everything and never end, and there are others by now: %s", len(mighty), some(mighty))
	}
	if len(idle) > 0 {
		r.Warn("tokens", do, "%d were not used for 90 days: %s", len(idle), some(idle))
	}
	if len(over)+len(mighty)+len(idle) == 0 {
		r.OK("tokens", "none of %d is over, or was forgotten", len(list))
	}
}

// some shows the first of a list.
func some(list []string) string {
	const most = 5
	text := ""
	for i, s := range list {
		if i == most {
			return fmt.Sprintf("%s and %d more", text, len(list)-most)
		}
		if i > 0 {
			text += ", "
		}
		text += s
	}
	return text
}
