package storetest
import ("testing";"actionlog")
func Programs(t *testing.T, open func(t *testing.T) actionlog.Store) {}
