//go:build !linux

package main

// fileSystem cannot tell here.
func fileSystem(string) string { return "" }
