package main

import (
	"fmt"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"actionlog/internal/enginetest"
)

// onOpenSearch is the name of the test below which services are on a real engine.
const onOpenSearch = "TestOnOpenSearch"

// The service on OpenSearch is the same for a user: the tests of the service and the
// command line that ask the store for anything, once more.
func TestOnOpenSearch(t *testing.T) {
	t.Parallel()
	enginetest.URL(t, enginetest.OpenSearch3)
	for name, test := range map[string]func(*testing.T){
		"scripts": TestScripts, "readme": TestReadme, "filters": TestFiltersFindWhatTheInputHolds, "whole": TestWholeCourseLog,
		"ingest": TestIngest, "json": TestJSONTestSuite, "naughty": TestNaughtyStrings, "values": TestCompletedValuesAreUnderstood,
		"replay": TestReplaySameID, "scope": TestScope, "staff": TestStaff, "examples": TestWorkedExamples, "odd": TestOddActions, "copy": TestCopy, "history": TestHistory, "lost": TestLostStore, "feed": TestFeed, "isolation": TestNonInterference, "dashboards": testDashboards, "usage": TestUsage,
	} {
		t.Run(name, test)
	}
}

var prefixes atomic.Int64

// engineOf says on which engine a test's services are: an address and a prefix of its
// own, or "" for the store in the folder. It follows from the test's name.
func engineOf(t testing.TB) (url, prefix string) {
	if !strings.HasPrefix(t.Name(), onOpenSearch+"/") && !strings.HasPrefix(t.Name(), "BenchmarkOnOpenSearch/live") {
		return "", ""
	}
	url, prefix = enginetest.URL(t, enginetest.OpenSearch3), fmt.Sprintf("c%d-%d-", os.Getpid(), prefixes.Add(1))
	t.Cleanup(func() { enginetest.Drop(t, url, prefix) }) // thousands of days would make each new one slow
	return url, prefix
}

// engineArgs are the options of serve for engineOf.
func engineArgs(t testing.TB) []string {
	url, prefix := engineOf(t)
	if url == "" {
		return nil
	}
	return []string{"--engine", url, "--engine-prefix", prefix}
}
