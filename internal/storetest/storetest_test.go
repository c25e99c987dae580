package storetest

import (
	"testing"

	"actionlog"
)

func TestModelKeepsTheContract(t *testing.T) {
	Run(t, func(*testing.T) actionlog.Store { return NewModel() })
}
