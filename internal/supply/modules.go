package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// platforms are those that the binary is built for. What is linked differs a
// little between them; the list of licences is of all of them.
var platforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64", "windows/arm64"}

// standard is the path under which the standard library and Go's runtime stand.
const standard = "std"

// module is a module of which at least one package is linked, or a package of npm that is
// in the page.
type module struct {
	Path, Version string
	Texts         []text   // all licences and notices, by name
	SPDX          []string // the licences, sorted
	Integrity     string   // of a package of npm: its hash, as in package-lock.json
}

// text is a file that says what one may do.
type text struct{ Name, Body string }

type listed struct {
	Dir, ImportPath string
	Standard        bool
	Module          *struct {
		Path, Version, Dir string
		Main               bool
		Replace            *struct{ Path, Version string }
	}
}

// shipped lists what is in the binary: Go's modules, and npm's packages in the page.
func shipped(mainPackage string) ([]module, error) {
	modules, err := linkedModules(mainPackage)
	if err != nil {
		return nil, err
	}
	packages, err := pagePackages()
	return append(modules, packages...), err
}

// linkedModules lists the modules of which a package is linked on any platform,
// and the standard library, sorted by path, each judged.
func linkedModules(mainPackage string) ([]module, error) {
	files := map[string]map[string]string{} // "path version" → file → where it is
	for _, platform := range platforms {
		if err := eachPackage(mainPackage, platform, func(p listed) error { return p.find(files) }); err != nil {
			return nil, err
		}
	}
	root, err := goCommand("", "env", "GOROOT")
	if err != nil {
		return nil, err
	}
	goroot := strings.TrimSpace(string(root))
	files[standard+" "] = map[string]string{"LICENSE": filepath.Join(goroot, "LICENSE"), "PATENTS": filepath.Join(goroot, "PATENTS")}
	var modules []module
	var wrong []error
	for key, found := range files {
		path, version, _ := strings.Cut(key, " ")
		texts, err := readTexts(found)
		if err != nil {
			return nil, err
		}
		m, err := judge(path, version, texts)
		modules, wrong = append(modules, m), append(wrong, err)
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return modules, errors.Join(wrong...)
}

func readTexts(files map[string]string) (texts []text, err error) {
	for name, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text{name, tidy(body)})
	}
	return texts, nil
}

// find notes the licence files of a package: in its folder and in those above,
// up to the root of its module.
func (p listed) find(files map[string]map[string]string) error {
	if p.Standard || p.Module == nil || p.Module.Main {
		return nil
	}
	if p.Module.Replace != nil && p.Module.Replace.Version != "" {
		return fmt.Errorf("%s is replaced by %s: not supported here", p.Module.Path, p.Module.Replace.Path)
	}
	key := p.Module.Path + " " + p.Module.Version
	if files[key] == nil {
		files[key] = map[string]string{}
	}
	for dir := p.Dir; ; dir = filepath.Dir(dir) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			path := filepath.Join(dir, e.Name())
			if name, err := filepath.Rel(p.Module.Dir, path); err == nil && e.Type().IsRegular() && isNotice(e.Name()) {
				files[key][filepath.ToSlash(name)] = path
			}
		}
		if dir == p.Module.Dir || len(dir) <= len(p.Module.Dir) {
			return nil
		}
	}
}

// isNotice recognises LICENSE, LICENCE.md, COPYING, NOTICE.txt, LICENSE-3RD-PARTY.md and
// the like, but no source.
func isNotice(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".go", ".s", ".h", ".c", ".json":
		return false
	}
	for _, prefix := range []string{"licen", "copying", "copyright", "notice", "patents", "unlicense"} {
		if strings.HasPrefix(strings.ToLower(name), prefix) {
			return true
		}
	}
	return false
}

func eachPackage(mainPackage, platform string, visit func(listed) error) error {
	out, err := goCommand(platform, "list", "-deps", "-json=Dir,ImportPath,Standard,Module", mainPackage)
	if err != nil {
		return err
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if err := visit(p); err != nil {
			return err
		}
	}
}

func goCommand(platform string, args ...string) ([]byte, error) {
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	if goos, goarch, ok := strings.Cut(platform, "/"); ok {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+goarch)
	}
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w", strings.Join(args, " "), err)
	}
	return out, nil
}
