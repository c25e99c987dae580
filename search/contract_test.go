package search

import (
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"actionlog"
	"actionlog/internal/apitest"

	"github.com/gin-gonic/gin"
	"go.uber.org/goleak"
)

// contract is openapi.yaml, to which every API of these tests is held.
var contract = func() *apitest.Contract {
	c, err := apitest.New(actionlog.OpenAPI())
	if err != nil {
		panic(fmt.Sprintf("openapi.yaml: %v", err))
	}
	return c
}()

// TestMain looks, once all tests have passed, whether every operation of openapi.yaml was
// answered, with a success and with a problem: what is never asked for is held to nothing.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) { os.Exit(judged(code)) })) // nor leaves a goroutine behind
}

// judged is the status of the tests, once it is known that all was answered.
func judged(code int) int {
	for _, of := range []string{"run", "skip", "list", "fuzz"} {
		if flag.Lookup("test."+of).Value.String() != "" {
			return code // not all of them
		}
	}
	if code == 0 {
		for _, missing := range contract.Unanswered() {
			fmt.Fprintln(os.Stderr, "openapi.yaml:", missing, "in the tests of this package")
			code = 1
		}
	}
	return code
}

// held is an API that is held to openapi.yaml.
type held struct {
	http.Handler
	inner  http.Handler
	routes gin.RoutesInfo
}

// newAPI is New, for tests: no test calls that itself.
func newAPI(t testing.TB, o Options) (http.Handler, error) {
	t.Helper()
	handler, err := New(t.Context(), o)
	if err != nil {
		return nil, err
	}
	return held{contract.Handler(t, handler), handler, handler.(*gin.Engine).Routes()}, nil
}

func routesOf(handler http.Handler) gin.RoutesInfo { return handler.(held).routes }

// Every API of these tests is made by newAPI: one that is not is held to nothing.
func TestNoAPIWithoutTheContract(t *testing.T) {
	files, err := filepath.Glob("*_test.go")
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	direct, found := regexp.MustCompile(`[^.\w]New\(`), 0
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if found += len(direct.FindAll(text, -1)); direct.Match(text) && name != "contract_test.go" {
			t.Errorf("%s calls New, not newAPI", name)
		}
	}
	if found == 0 {
		t.Error("the call in newAPI was not found")
	}
}
