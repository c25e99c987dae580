package actionlog

import "testing"

// What is done for each action that comes allocates no more than this; counts are the same on every machine. What was
// measured stands beside.
func TestAllocations(t *testing.T) {
	ordinary := []byte(`{"id":"019ae0b3-7c1d-7a55-9d3c-0f5a8d2b6c11","schema":"action/1","occurred_at":"2026-11-22T23:30:00.123Z","institution":{"id":"uni","name":"University"},
 "category":"course","action":{"code":"course.learner.added","label":"Added a learner"},"outcome":"success","actor":{"kind":"user","id":"u-101","name":"Ann Example","email":"ann@uni.example","external_id":"E-2001","roles":["admin"]},
 "targets":[{"kind":"user","id":"u-102","name":"Ben Example","email":"ben@uni.example"}],"course":{"id":"c-11","title":"Arts and Craft"},"class":{"id":"k-100","title":"Autumn group"},
 "changes":[{"field":"role","before":null,"after":"learner"}],"request":{"method":"POST","url":"https://uni.example/courses/11/learners?tab=2","route":"/courses/:id/learners","content_type":"application/json"},
 "response":{"code":201},"origin":{"ip":"192.0.2.17","user_agent":"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0","channel":"web"},"trace":{"request_id":"req-1"},"summary":"Ann Example added Ben Example to Arts and Craft"}`)
	for name, x := range map[string]struct {
		most float64
		f    func() error
	}{
		"Parse":  {parseAllocations, func() error { _, err := Parse(ordinary, nil); return err }},
		"Skim":   {skimAllocations, func() error { _, _, err := Skim(Subject("uni", CategoryCourse), ordinary, nil); return err }},
		"SkimID": {skimIDAllocations, func() error { _, _, err := SkimID(ordinary); return err }},
	} {
		if err := x.f(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := testing.AllocsPerRun(100, func() { _ = x.f() }); got > x.most {
			t.Errorf("%s allocates %.0f times; at most %.0f are expected", name, got, x.most)
		} else {
			t.Logf("%s allocates %.0f times", name, got)
		}
	}
}

const parseAllocations, skimAllocations, skimIDAllocations = 100, 32, 30 // measured: 94, 29, 27
