package main

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// pageFile is what the build of the page writes of npm's packages in it: web/third-party.ts.
const pageFile = "web/third-party.json"

// npm marks the paths of npm's packages among those of Go's modules.
const npm = "npm:"

// withoutNotice are licences that ask for no notice: a package that only names one, and
// does not hold its text, may be in the page.
var withoutNotice = []string{"0BSD", "CC0-1.0", "Unlicense"}

// pagePackages lists npm's packages in the page, by name, each judged. Without a page
// there are none.
func pagePackages() (packages []module, err error) {
	body, err := os.ReadFile(pageFile)
	if os.IsNotExist(err) {
		return nil, nil
	}
	var found []struct {
		Name, Version, License, Integrity string
		Texts                             []struct{ Name, Body string }
	}
	if err = errors.Join(err, json.Unmarshal(body, &found)); err != nil {
		return nil, fmt.Errorf("%s: %w", pageFile, err)
	}
	var wrong []error
	for _, p := range found {
		var texts []text
		for _, t := range p.Texts {
			texts = append(texts, text{t.Name, tidy([]byte(t.Body))})
		}
		if len(texts) == 0 && slices.Contains(withoutNotice, p.License) {
			packages = append(packages, module{Path: npm + p.Name, Version: p.Version, SPDX: []string{p.License}, Integrity: p.Integrity})
			continue
		}
		m, err := judge(npm+p.Name, p.Version, texts)
		m.Integrity = p.Integrity
		packages, wrong = append(packages, m), append(wrong, err)
	}
	return packages, errors.Join(wrong...)
}

// pageComponent is a package of the page as the SBOM names it. Its hash is that of the
// archive, as in package-lock.json.
func pageComponent(m module) (cdx.Component, error) {
	algorithm, sum, _ := strings.Cut(m.Integrity, "-")
	hash, err := base64.StdEncoding.DecodeString(sum)
	if err != nil || algorithm != "sha512" || len(hash) != 64 {
		return cdx.Component{}, fmt.Errorf("%s: %q is no SHA-512", m.Path, m.Integrity)
	}
	name := strings.TrimPrefix(m.Path, npm)
	purl := "pkg:npm/" + strings.Replace(name, "@", "%40", 1) + "@" + m.Version
	return cdx.Component{BOMRef: purl, Type: cdx.ComponentTypeLibrary, Name: name, Version: m.Version, PackageURL: purl, Scope: cdx.ScopeRequired,
		Licenses: m.licenses(), Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA512, Value: hex.EncodeToString(hash)}}}, nil
}
