package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// writeSBOM writes what is in a binary, as the binary itself says, with the
// licences that were found for it. The same binary has the same SBOM: there is
// no time in it, and its serial number comes from the binary's hash.
func writeSBOM(out io.Writer, file, version string, modules []module) error {
	body, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !bytes.Contains(body, []byte(strings.TrimPrefix(version, "devel-"))) {
		return fmt.Errorf("%s does not say that it is version %s", file, version)
	}
	info, err := buildinfo.Read(bytes.NewReader(body))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(body)
	bom := cdx.NewBOM()
	bom.SerialNumber = uuid.NewSHA1(uuid.Nil, sum[:]).URN()
	application := cdx.Component{
		BOMRef: "actionlog", Type: cdx.ComponentTypeApplication, Name: info.Main.Path, Version: version,
		Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
	}
	properties := []cdx.Property{}
	for _, s := range info.Settings {
		properties = append(properties, cdx.Property{Name: "build:" + s.Key, Value: s.Value})
	}
	application.Properties = &properties
	bom.Metadata = &cdx.Metadata{Component: &application}
	components, err := components(info, modules)
	if err != nil {
		return err
	}
	refs := []string{}
	for _, c := range components {
		refs = append(refs, c.BOMRef)
	}
	bom.Components = &components
	bom.Dependencies = &[]cdx.Dependency{{Ref: application.BOMRef, Dependencies: &refs}}
	return cdx.NewBOMEncoder(out, cdx.BOMFileFormatJSON).SetPretty(true).SetEscapeHTML(false).EncodeVersion(bom, cdx.SpecVersion1_6)
}

func components(info *buildinfo.BuildInfo, modules []module) ([]cdx.Component, error) {
	goVersion, _, _ := strings.Cut(strings.TrimPrefix(info.GoVersion, "go"), " ")
	components := []cdx.Component{component(standard, goVersion, modules)}
	var wrong []error
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			return nil, fmt.Errorf("%s is replaced: not supported here", dep.Path)
		}
		c := component(dep.Path, dep.Version, modules)
		if c.Licenses == nil {
			wrong = append(wrong, fmt.Errorf("%s %s is in the binary, and not in what is linked from this folder: was it built here?", dep.Path, dep.Version))
		}
		// h1: is a SHA-256 over the names and hashes of the module's files, as in go.sum.
		sum, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(dep.Sum, "h1:"))
		if err != nil || len(sum) != sha256.Size {
			wrong = append(wrong, fmt.Errorf("%s: %q is no hash", dep.Path, dep.Sum))
		}
		c.Hashes = &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: hex.EncodeToString(sum)}}
		components = append(components, c)
	}
	for _, m := range modules {
		if strings.HasPrefix(m.Path, npm) {
			c, err := pageComponent(m)
			components, wrong = append(components, c), append(wrong, err)
		}
	}
	return components, errors.Join(wrong...)
}

// component is a module with its licences; these are nil if it is not among modules.
func component(path, version string, modules []module) cdx.Component {
	purl := "pkg:golang/" + strings.ToLower(path) + "@" + strings.ReplaceAll(version, "+", "%2B") + "?type=module"
	c := cdx.Component{BOMRef: purl, Type: cdx.ComponentTypeLibrary, Name: path, Version: version, PackageURL: purl, Scope: cdx.ScopeRequired}
	i := slices.IndexFunc(modules, func(m module) bool {
		return m.Path == path && (m.Version == version || path == standard)
	})
	if i < 0 {
		return c
	}
	c.Licenses = modules[i].licenses()
	return c
}

func (m module) licenses() *cdx.Licenses {
	if len(m.SPDX) == 1 {
		return &cdx.Licenses{{License: &cdx.License{ID: m.SPDX[0]}}}
	}
	return &cdx.Licenses{{Expression: m.expression()}}
}
