package actionlog_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// mayImport says which packages of this module a package may import besides the
// root. Imports point to the root; siblings never import each other. A package
// that is not listed may not exist: another package must argue for itself here.
var mayImport = map[string][]string{
	".":                   nil,
	"cmd/actionlog":       {"*"},
	"indexer":             {"internal/tracing"},
	"search":              {"internal/people", "internal/ecs", "internal/tracing"}, // ADR 30
	"restore":             nil,
	"feed":                {"internal/match"}, // ADR 34
	"webhooks":            {"internal/crew"},  // ADR 35
	"saved":               {"internal/crew"},  // ADR 36
	"web":                 nil,
	"mappings":            nil,
	"internal/dashboards": {"mappings"}, // ADR 31
	"internal/people":     nil,
	"internal/crew":       nil, // who sends and who watches begin and end alike
	"internal/demo":       nil, // ADR 10
	"internal/archive":    {"internal/tracing"},
	"internal/bus":        {"internal/tracing"},
	"internal/access":     nil,
	"internal/signin":     nil,
	"internal/sqlite":     {"internal/people", "internal/segment"}, // ADR 38
	"internal/segment":    {"internal/people"},
	"internal/elastic":    {"internal/people", "mappings"},
	"internal/ecs":        nil, // ADR 30
	"internal/doctor":     nil,
	"internal/tracing":    nil,                 // ADR 37
	"internal/match":      {"internal/people"}, // what a query means, once
	"internal/storetest":  {"internal/people", "internal/match"},
	"internal/enginetest": nil,
	"internal/apitest":    nil,
	"internal/oidctest":   nil,
	"internal/supply":     nil, // ADR 20; a command for builders, not shipped
	"internal/torture":    nil, // docs/reliability.md; the same
	"examples/outbox":     nil, // docs/publishing.md; an example, which knows the API only
}

// onlyIn says where a technology may be used (by import path prefix).
var onlyIn = map[string][]string{
	"github.com/gin-gonic/":                 {"search"},
	"zombiezen.com/go/sqlite":               {"internal/sqlite"},
	"modernc.org/sqlite":                    {"internal/sqlite", "examples/outbox"},
	"github.com/nats-io/nats-server/":       {"internal/bus"},
	"github.com/nats-io/nats.go":            {"internal/bus", "indexer", "cmd/actionlog", "internal/torture"},
	"github.com/nats-io/nkeys":              {"internal/bus"},
	"github.com/synadia-io/":                {"internal/bus"},
	"go.opentelemetry.io/":                  {"internal/tracing"},
	"github.com/elastic/":                   {"internal/elastic"},
	"github.com/prometheus/":                {"search", "indexer", "cmd/actionlog"},
	"github.com/alecthomas/kong":            {"cmd/actionlog"},
	"github.com/olivere/ndjson":             {"cmd/actionlog"},
	"github.com/schollz/progressbar":        {"cmd/actionlog"},
	"github.com/rivo/uniseg":                {"cmd/actionlog"},
	"github.com/dchest/siphash":             {"internal/segment"},
	"github.com/klauspost/compress/":        {"internal/sqlite", "internal/segment", "internal/archive", "search", "cmd/actionlog", "internal/torture"},
	"golang.org/x/text/unicode/":            {"internal/people"},
	"github.com/gosimple/unidecode":         {"internal/people", "internal/demo"},
	"github.com/brianvoe/gofakeit/":         {"internal/demo"},
	"golang.org/x/text/cases":               {"internal/people"},
	"github.com/testcontainers/":            {"internal/enginetest"},
	"github.com/minio/minio-go/":            {"internal/archive"},
	"github.com/coreos/go-oidc/":            {"internal/signin"},
	"golang.org/x/oauth2":                   {"internal/signin"},
	"github.com/tink-crypto/":               {"search"},
	"github.com/transparency-dev/merkle":    {"internal/archive"},
	"golang.org/x/mod/sumdb/note":           {"internal/archive"},
	"github.com/CycloneDX/":                 {"internal/supply"},
	"github.com/google/licensecheck":        {"internal/supply"},
	"github.com/google/uuid":                {"internal/supply"},
	"github.com/santhosh-tekuri/":           {"internal/apitest"},
	"gopkg.in/yaml.v3":                      {"internal/apitest", "cmd/actionlog"},
	"github.com/google/go-cmp/":             nil, // tests only
	"github.com/rogpeppe/go-internal/":      nil, // tests only
	"github.com/stretchr/testify":           nil, // tests only
	"github.com/golang/mock":                nil,
	"github.com/sirupsen/logrus":            nil,
	"github.com/pkg/errors":                 nil,
	"github.com/prometheus/client_golang/x": nil,
}

func TestImportsPointToTheRoot(t *testing.T) {
	eachFile(t, func(path string, file *ast.File) {
		dir := filepath.ToSlash(filepath.Dir(path))
		allowed, known := mayImport[dir]
		if !known {
			t.Errorf("%s: package %s is not in mayImport: another package must argue for itself", path, dir)
			return
		}
		for _, spec := range file.Imports {
			checkImport(t, path, dir, strings.Trim(spec.Path.Value, `"`), allowed)
		}
	})
}

func checkImport(t *testing.T, path, dir, imported string, allowed []string) {
	if own, ok := strings.CutPrefix(imported, "actionlog/"); ok && !permits(allowed, own) {
		t.Errorf("%s: %s may not import its sibling %s", path, dir, own)
	}
	standard := !strings.Contains(strings.SplitN(imported, "/", 2)[0], ".")
	if dir == "." && !standard {
		t.Errorf("%s: the root imports the standard library only, not %s", path, imported)
	}
	for prefix, dirs := range onlyIn {
		if strings.HasPrefix(imported, prefix) && !permits(dirs, dir) && dir != "internal/storetest" {
			t.Errorf("%s: %s is for %v only", path, imported, dirs)
		}
	}
}

func permits(list []string, name string) bool {
	for _, x := range list {
		if x == name || x == "*" {
			return true
		}
	}
	return false
}

// The write path never searches; the read path never writes.
func TestPathsKeepToTheirPorts(t *testing.T) {
	forbidden := map[string][]string{
		"indexer": {"Searcher", "Scanner", "Directory", "Store"},
		"search":  {"Writer", "Store"},
	}
	eachFile(t, func(path string, file *ast.File) {
		ports := forbidden[filepath.ToSlash(filepath.Dir(path))]
		ast.Inspect(file, func(n ast.Node) bool {
			sel, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if pkg, ok := sel.X.(*ast.Ident); ok && pkg.Name == "actionlog" && permits(ports, sel.Sel.Name) {
				t.Errorf("%s uses the port actionlog.%s", path, sel.Sel.Name)
			}
			return true
		})
	})
}

func TestNoPackageWithoutAName(t *testing.T) {
	for dir := range mayImport {
		switch filepath.Base(dir) {
		case "util", "utils", "common", "helper", "helpers", "pkg", "types", "models":
			t.Errorf("package %s says nothing", dir)
		}
	}
}

// Files and functions stay small: 400 and 60 lines are the limits, 250 and 40
// the habit.
func TestSizeLimits(t *testing.T) {
	fset := token.NewFileSet()
	walkGo(t, func(path string) {
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		if lines := fset.File(file.Pos()).LineCount(); lines > 400 {
			t.Errorf("%s has %d lines", path, lines)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if lines := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1; lines > 60 {
				t.Errorf("%s: func %s has %d lines", path, f.Name.Name, lines)
			}
		}
	})
}

// eachFile visits every Go file that is not a test.
func eachFile(t *testing.T, visit func(path string, file *ast.File)) {
	fset := token.NewFileSet()
	seen := 0
	walkGo(t, func(path string) {
		if strings.HasSuffix(path, "_test.go") {
			return
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		visit(path, file)
	})
	if seen < 20 {
		t.Fatalf("only %d files found: the check looks at the wrong place", seen)
	}
}

func walkGo(t *testing.T, visit func(path string)) {
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".") && path != ".") {
			return fs.SkipDir
		}
		if strings.HasSuffix(path, ".go") {
			visit(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
