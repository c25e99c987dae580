// Package actionlog is the vocabulary of Action Log: what an action is, what
// can be asked about actions, and what a store, a stream and a state keeper
// promise. It is pure: no network, no files, no technology, standard library
// only. Everything else in this module depends on it; it depends on nothing.
//
// Read action.go for what an action is, query.go for what can be asked, and
// store.go for what whoever keeps actions promises.
//
// It does not search, store, publish or serve.
package actionlog
