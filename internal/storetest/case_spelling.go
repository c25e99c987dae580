package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"actionlog"

	"github.com/google/go-cmp/cmp"
)

// testSpellingsAtRandom names four people again and again, each time in one of a
// few ways and at one of a few times, and compares with the model.
func testSpellingsAtRandom(c *check) {
	rng := rand.New(rand.NewPCG(5, 7))
	pick := func(texts ...string) string { return texts[rng.IntN(len(texts))] }
	model := NewModel()
	for round := range 40 {
		var documents []string
		for i := range 1 + rng.IntN(4) {
			documents = append(documents, action(fmt.Sprintf("s%d-%d", round, i), noon.AddDate(0, 0, -rng.IntN(3)).Add(time.Duration(rng.IntN(8))*time.Minute),
				fmt.Sprintf(`"actor":{"kind":"user","id":"P%d","name":%q,"email":%q,"external_id":%q}`, rng.IntN(4),
					pick("", "Ann", "ann", "Ann Lee", "Ann Wong"), pick("", "a@x.edu", "b@x.edu", "c@x.edu"), pick("", "E1", "E2"))))
		}
		if _, err := model.Write(context.Background(), c.write(documents...)); err != nil {
			c.Fatalf("model: %v", err)
		}
	}
	for i := range 4 {
		m := actionlog.DirectoryMatch{Key: fmt.Sprint("id:P", i)}
		want, _, err := model.Lookup(context.Background(), home, actionlog.DirectoryPeople, m, 2)
		if err != nil {
			c.Fatalf("model: %v", err)
		}
		got, _, err := c.store.Lookup(context.Background(), home, actionlog.DirectoryPeople, m, 2)
		for i := range got { // when is compared elsewhere
			got[i].LastSeen = want[0].LastSeen
		}
		if d := cmp.Diff(want, got); err != nil || d != "" {
			c.Errorf("Lookup %q: %v (-want +got):\n%s", m.Key, err, d)
		}
	}
}
