package bus

import (
	"testing"

	"actionlog"
	"actionlog/internal/storetest"
)

// The contract of a state, on JetStream.
func TestState(t *testing.T) {
	storetest.RunState(t, func(t *testing.T) actionlog.State {
		b, err := Run(t.Context(), Options{Dir: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		s, err := b.State(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s
	})
}
