package main

import (
	"bytes"
	"debug/buildinfo"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

const (
	gpl = `This program is free software: you can redistribute it and/or modify it under the terms of the GNU General Public
License as published by the Free Software Foundation, either version 3 of the License, or (at your option) any later version.
This program is distributed in the hope that it will be useful, but WITHOUT ANY WARRANTY; without even the implied warranty of
MERCHANTABILITY or FITNESS FOR A PARTICULAR PURPOSE. See the GNU General Public License for more details.
You should have received a copy of the GNU General Public License along with this program. If not, see <https://www.gnu.org/licenses/>.`
	isc = `Permission to use, copy, modify, and/or distribute this software for any purpose with or without fee is hereby granted, provided
that the above copyright notice and this permission notice appear in all copies.
THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF
MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY
DAMAGES WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE OR OTHER TORTIOUS ACTION,
ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS SOFTWARE.`
)

// A program that links a module with files, and the answer to them.
func TestLicencesThatAreNotAllowed(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		wrong string
	}{
		"allowed":           {map[string]string{"LICENSE": isc}, ""},
		"copyleft":          {map[string]string{"COPYING": gpl}, "has the licence GPL-3.0"},
		"copyleft besides":  {map[string]string{"LICENSE": isc, "part/LICENSE.md": gpl}, "has the licence GPL-3.0"},
		"copyleft, a note":  {map[string]string{"LICENSE": isc, "NOTICE": gpl}, "has the licence GPL-3.0"},
		"of what is unused": {map[string]string{"LICENSE": isc, "unused/LICENSE": gpl, "unused/u.go": "package unused"}, ""},
		"none":              {nil, "example.org/dep has no licence"},
		"one's own":         {map[string]string{"LICENSE": "Do as you like on Sundays."}, "LICENSE is no licence that is known"},
		"hidden":            {map[string]string{"LICENSE": isc + strings.Repeat(" But not on Sundays, nor for money.", 20)}, "LICENSE is no licence that is known"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "go.mod", "module main\ngo 1.26\nrequire example.org/dep v0.0.0\nreplace example.org/dep => ./dep\n")
			write(t, "cmd/actionlog/main.go", "package main\nimport _ \"example.org/dep/part\"\nfunc main() {}\n")
			write(t, "dep/go.mod", "module example.org/dep\n")
			write(t, "dep/part/part.go", "package part\n")
			for file, body := range test.files {
				write(t, "dep/"+file, body)
			}
			err := run([]string{"licences"})
			if test.wrong == "" && err != nil || test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)) {
				t.Fatalf("the answer is %v, want %q", err, test.wrong)
			}
			if test.wrong != "" {
				return
			}
			if err := run([]string{"licences", "-check"}); err != nil {
				t.Error(err)
			}
			write(t, pageFile, `[{"name":"p","version":"1.0.0","integrity":"","texts":[{"name":"LICENSE","body":`+strconv.Quote("Copyright P\n"+isc)+`}]}]`)
			if err := run([]string{"licences", "-check"}); err == nil {
				t.Error("something else is in the page, and the check says that all is as before")
			}
			if err := run([]string{"licences"}); err != nil || !strings.Contains(read(t, licencesFile), "\nnpm:p 1.0.0: ISC\n") || !strings.Contains(read(t, licencesFile), "\nnpm:p/LICENSE\n") {
				t.Errorf("%v\n%s", err, read(t, licencesFile))
			}
			write(t, "dep/LICENSE", "Copyright Somebody Else\n"+isc)
			if err := run([]string{"licences", "-check"}); err == nil {
				t.Error("a licence has changed, and the check says that all is as before")
			}
		})
	}
}

// What is in the page is judged as what is linked.
func TestLicencesOfThePage(t *testing.T) {
	for texts, wrong := range map[string]string{
		``: "npm:p has no licence",
		`{"name":"COPYING","body":` + strconv.Quote(gpl) + `}`:   "has the licence GPL-3.0",
		`{"name":"LICENSE","body":"Do as you like on Sundays."}`: "npm:p: LICENSE is no licence that is known",
	} {
		t.Chdir(t.TempDir())
		write(t, pageFile, `[{"name":"p","version":"1.0.0","integrity":"","texts":[`+texts+`]}]`)
		if _, err := pagePackages(); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%v, want %q", err, wrong)
		}
	}
	write(t, pageFile, `[{"name":"p","version":"1.0.0","license":"MIT","texts":[]}]`)
	if _, err := pagePackages(); err == nil {
		t.Error("a licence that asks for its notice is only named")
	}
	write(t, pageFile, `[{"name":"p","version":"1.0.0","license":"Unlicense","texts":[]}]`)
	if p, err := pagePackages(); err != nil || len(p) != 1 || p[0].expression() != "Unlicense" {
		t.Errorf("%v %v", p, err)
	}
	if _, err := pageComponent(module{Path: "npm:p", Integrity: "sha1-xxxx"}); err == nil {
		t.Error("a weak hash goes into the SBOM")
	}
}

func TestSBOM(t *testing.T) {
	t.Chdir("../..")
	binary := filepath.Join(t.TempDir(), "actionlog")
	if out, err := exec.Command("go", "build", "-ldflags=-X main.commit=0123456789ab", "-o", binary, mainPackage).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	modules, err := shipped(mainPackage)
	if err != nil {
		t.Fatal(err)
	}
	var first, second bytes.Buffer
	for _, out := range []*bytes.Buffer{&first, &second} {
		if err := writeSBOM(out, binary, "devel-0123456789ab", modules); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(first.Bytes(), second.Bytes()) {
		t.Error("the same binary has two SBOMs")
	}
	validate(t, first.Bytes())
	everyModule(t, binary, first.Bytes(), modules)

	if err := writeSBOM(&second, binary, "devel-ba9876543210", modules); err == nil {
		t.Error("an SBOM of a version that the binary is not")
	}
	without := slices.DeleteFunc(slices.Clone(modules), func(m module) bool { return m.Path == "modernc.org/libc" })
	if err := writeSBOM(&second, binary, "devel-0123456789ab", without); err == nil || !strings.Contains(err.Error(), "modernc.org/libc") {
		t.Errorf("a module in the binary that nobody listed: %v", err)
	}
}

func everyModule(t *testing.T, binary string, sbom []byte, modules []module) {
	info, err := buildinfo.ReadFile(binary)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Components []struct {
			Name, Version string
			Licenses      []any
		}
	}
	if err := json.Unmarshal(sbom, &got); err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for _, c := range got.Components {
		have[c.Name+" "+c.Version] = len(c.Licenses) > 0
	}
	ofPage := 0
	for _, m := range modules {
		if name, ok := strings.CutPrefix(m.Path, npm); ok {
			ofPage++
			if !have[name+" "+m.Version] {
				t.Errorf("%s is missing, or has no licence", m.Path)
			}
		}
	}
	if !have["std "+strings.TrimPrefix(info.GoVersion, "go")] || len(have) != len(info.Deps)+1+ofPage || len(have) < 50 || ofPage < 5 {
		t.Errorf("%d components, %d modules in the binary; the standard library is %s", len(have), len(info.Deps), info.GoVersion)
	}
	for _, dep := range info.Deps {
		if !have[dep.Path+" "+dep.Version] {
			t.Errorf("%s %s is missing, or has no licence", dep.Path, dep.Version)
		}
	}
}

// validate holds an SBOM against CycloneDX's own schema.
func validate(t *testing.T, sbom []byte) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	for url, file := range map[string]string{
		"bom-1.6.schema.json": "bom-1.6.schema.json", "spdx.schema.json": "spdx.schema.json", "jsf-0.82.schema.json": "jsf-0.82.schemax.json",
	} {
		body, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "schema", file))
		if err != nil {
			t.Fatal(err)
		}
		schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(body))
		if err == nil {
			err = compiler.AddResource("http://cyclonedx.org/schema/"+url, schema)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(sbom))
	if err != nil {
		t.Fatal(err)
	}
	if err := compiler.MustCompile("http://cyclonedx.org/schema/bom-1.6.schema.json").Validate(document); err != nil {
		t.Error(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	body, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func write(t *testing.T, file, body string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(body), 0o644); err != nil {
		t.Fatal(err)
	}
}
