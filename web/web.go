// Package web is the admin page: TypeScript sources, and their build, which is
// committed and embedded so that building the binary needs no Node. The page is a client
// of the public API and nothing else. Package search serves it.
package web

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files returns the build: index.html, and under assets/ files whose names change
// with their content.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path
	}
	return files
}
