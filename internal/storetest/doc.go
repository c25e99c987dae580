// Package storetest is the contract of an actionlog.Store, executable: cases
// that each carry the sentence of the contract that they check, a naive store
// in memory, the Model, and random programs that compare an engine with it.
//
// It is for tests only. It knows no engine: it looks at a store through the
// root's ports, cannot damage one's files and does not measure speed.
package storetest
