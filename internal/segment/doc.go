// Package segment keeps actions of one day as an immutable file in memory or in pieces: sorted by institution, then time,
// with their documents compressed in blocks, a column for each field that is counted, an index of words, and a table of
// identities. A store writes each batch as a small segment and merges segments into larger ones (Merge), so that what is
// found costs little and nothing is rewritten often. The layout is in layout.go; docs/formats.md names its version.
//
// It is not a store: which segments there are, that they are durable and that no two have the same identity is for its user.
package segment
