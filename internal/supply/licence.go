package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/google/licensecheck"
)

// allowed are the licences that a linked module may have. Each lets the binary
// be passed on under terms of our own, as long as the notices go with it.
// MPL-2.0 asks in addition that changes to its own files stay open: we make none.
var allowed = []string{
	"0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MPL-2.0", "Unicode-DFS-2016", "Unlicense", "Zlib", "blessing",
}

// leastCovered is how much of a file must be a licence that is known, in per
// cent; the rest is names and headings.
const leastCovered = 75

// judge says which licences a module with these texts has. A module without a
// licence, with one that is not recognised or not allowed is an error.
func judge(modulePath, version string, texts []text) (module, error) {
	m := module{Path: modulePath, Version: version, Texts: texts}
	slices.SortFunc(m.Texts, func(a, b text) int { return strings.Compare(a.Name, b.Name) })
	for _, t := range m.Texts {
		ids, err := recognise(t)
		if err != nil {
			return m, fmt.Errorf("%s: %w", modulePath, err)
		}
		m.SPDX = append(m.SPDX, ids...)
	}
	slices.Sort(m.SPDX)
	m.SPDX = slices.Compact(m.SPDX)
	if len(m.SPDX) == 0 {
		return m, fmt.Errorf("%s has no licence", modulePath)
	}
	for _, id := range m.SPDX {
		if !slices.Contains(allowed, id) {
			return m, fmt.Errorf("%s has the licence %s, which is not allowed (internal/supply/licence.go)", modulePath, id)
		}
	}
	return m, nil
}

// patentGrant is what Go's PATENTS is recognised as. It gives rights beside the
// licence, and takes none.
const patentGrant = "GooglePatentsFile"

// publicDomain is in SQLite's own words, which SPDX calls "blessing" and
// licensecheck does not know.
const publicDomain = "SQLite has been dedicated to the public domain by the authors"

// recognise says which licences are in a text. What only goes with a licence
// need not be one, but what is recognised in it counts.
func recognise(t text) ([]string, error) {
	coverage := licensecheck.Scan([]byte(t.Body))
	var ids []string
	for _, match := range coverage.Match {
		if match.ID != patentGrant {
			ids = append(ids, match.ID)
		}
	}
	if strings.Contains(strings.Join(strings.Fields(t.Body), " "), publicDomain) {
		ids = append(ids, "blessing")
	}
	if goesWithALicence(t.Name) || slices.Contains(ids, "blessing") && len(ids) == 1 {
		return ids, nil
	}
	if len(ids) == 0 || coverage.Percent < leastCovered {
		return nil, fmt.Errorf("%s is no licence that is known (%.0f %% of it is, %v)", t.Name, coverage.Percent, ids)
	}
	return ids, nil
}

// goesWithALicence tells what need not be a licence itself: credits, patents,
// lists of others' licences with text between them, and modernc.org/memory's note on its
// logo, which is not linked.
func goesWithALicence(name string) bool {
	base := strings.ToLower(path.Base(name))
	for _, prefix := range []string{"notice", "patents", "copyright", "license-3rd-party", "license-logo"} {
		if strings.HasPrefix(base, prefix) {
			return true
		}
	}
	return false
}

// tidy removes what differs between systems only.
func tidy(body []byte) string {
	return strings.TrimSpace(strings.ReplaceAll(string(bytes.ToValidUTF8(body, []byte("?"))), "\r\n", "\n"))
}

// notices is the content of THIRD_PARTY_LICENSES: a table of the modules and of what is in the page, then
// every text once.
func notices(modules []module) []byte {
	var out bytes.Buffer
	out.WriteString("What the binary actionlog contains besides Action Log itself, and under which licences.\n")
	fmt.Fprintf(&out, "Made by `make licences` for %s; do not edit.\n\n", strings.Join(platforms, ", "))
	users := map[[32]byte][]string{}
	var order []string
	for _, m := range modules {
		fmt.Fprintln(&out, strings.Join(strings.Fields(m.label()+"  "+m.Version), " ")+": "+m.expression())
		for _, t := range m.Texts {
			sum := sha256.Sum256([]byte(t.Body))
			if users[sum] == nil {
				order = append(order, t.Body)
			}
			users[sum] = append(users[sum], m.label()+"/"+t.Name)
		}
	}
	for _, body := range order {
		fmt.Fprintf(&out, "\n%s\n", strings.Repeat("=", 80))
		for _, user := range users[sha256.Sum256([]byte(body))] {
			fmt.Fprintln(&out, user)
		}
		fmt.Fprintf(&out, "%s\n\n%s\n", strings.Repeat("-", 80), body)
	}
	return out.Bytes()
}

// label is how a module is called where people read it.
func (m module) label() string {
	if m.Path == standard {
		return "Go, standard library and runtime"
	}
	return m.Path
}

// expression is the SPDX expression: all licences together, for what is linked
// may be under any of them.
func (m module) expression() string { return strings.Join(m.SPDX, " AND ") }
