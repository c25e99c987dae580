package storetest

import (
	"testing"

	"actionlog"
)

func TestModelKeepsTheContract(t *testing.T) {
	Run(t, func(*testing.T) actionlog.Store { return NewModel() })
}

// The state in memory is one.
func TestStateInMemory(t *testing.T) {
	RunState(t, func(*testing.T) actionlog.State { return NewState() })
}
