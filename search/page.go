package search

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"

	"github.com/gin-gonic/gin"
)

// pagePolicy is the page's Content Security Policy: only what this service serves, and no
// script or style that stands in the page itself. What is connected to is the API.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// searchableDays are promised in every time zone; that some more are kept for it is no
// promise.
const searchableDays = 90

// pageTypes are the content types of the page's files; one of another kind does not start.
var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml",
}

// pageFile is a file of the page, ready to be sent.
type pageFile struct {
	contentType string
	plain, zip  []byte // zip: gzip, or nil where that is not smaller
	tag, zipTag string // bytes that differ have tags that differ
}

// page serves the admin page from memory: it is small.
type page struct{ files map[string]pageFile }

// licencesFile is where the licences of what the page contains are to be read.
const licencesFile = "licences.txt"

func newPage(files fs.FS, licences string) (*page, error) {
	p := &page{files: map[string]pageFile{}}
	err := fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if pageTypes[path.Ext(name)] == "" {
			return fmt.Errorf("page: %s: unknown kind of file", name)
		}
		content, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		return p.add(name, pageTypes[path.Ext(name)], content)
	})
	if err == nil {
		err = p.add(licencesFile, "text/plain; charset=utf-8", []byte(licences))
	}
	for _, name := range []string{"index.html", "favicon.svg"} {
		if _, ok := p.files[name]; err == nil && !ok {
			err = fmt.Errorf("page: there is no %s", name)
		}
	}
	return p, err
}

func (p *page) add(name, contentType string, content []byte) error {
	sum := sha256.Sum256(content)
	tag := hex.EncodeToString(sum[:8])
	f := pageFile{contentType: contentType, plain: content, tag: `"` + tag + `"`, zipTag: `"` + tag + `-gzip"`}
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return err
	}
	if _, err = w.Write(content); err == nil {
		err = w.Close()
	}
	if b.Len() < len(content) {
		f.zip = b.Bytes()
	}
	p.files[name] = f
	return err
}

// pageRoutes: every address of a view is the same document, whose script reads the
// address. What is at an address is asked of the API, with the caller's session.
func (s *server) pageRoutes(g *gin.Engine, p *page) {
	document := func(c *gin.Context) { p.serve(c, "index.html", "no-cache") }
	g.GET("/", document)
	g.GET("/institutions", document)
	g.GET("/institutions/:institution", document)
	g.GET("/institutions/:institution/:view", document)
	g.GET("/institutions/:institution/:view/:id", document)
	g.GET("/restores", document)
	g.GET("/favicon.svg", func(c *gin.Context) { p.serve(c, "favicon.svg", "no-cache") })
	g.GET("/"+licencesFile, func(c *gin.Context) { p.serve(c, licencesFile, "no-cache") })
	g.GET("/assets/:file", func(c *gin.Context) {
		name := "assets/" + c.Param("file")
		if _, ok := p.files[name]; !ok {
			s.answer(c, newProblem(http.StatusNotFound, "there is nothing at this address"))
			return
		}
		p.serve(c, name, "public, max-age=31536000, immutable")
	})
}

func (p *page) serve(c *gin.Context, name, cache string) {
	f := p.files[name]
	c.Header("Cache-Control", cache)
	c.Header("Content-Security-Policy", pagePolicy)
	c.Header("Cross-Origin-Opener-Policy", "same-origin")
	c.Header("Vary", "Accept-Encoding")
	body, tag := f.plain, f.tag
	if f.zip != nil && strings.Contains(c.GetHeader("Accept-Encoding"), "gzip") {
		c.Header("Content-Encoding", "gzip")
		body, tag = f.zip, f.zipTag
	}
	c.Header("ETag", tag)
	if hasTag(c.GetHeader("If-None-Match"), tag) {
		c.Writer.Header().Del("Content-Encoding")
		c.Status(http.StatusNotModified)
		return
	}
	c.Data(http.StatusOK, f.contentType, body)
}

// hasTag compares as If-None-Match does: RFC 9110, section 13.1.2.
func hasTag(list, tag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		if one = strings.TrimSpace(one); one == "*" || strings.TrimPrefix(one, "W/") == tag {
			return true
		}
	}
	return false
}

// Contact is whom users ask for what the page cannot give them.
type Contact struct {
	Name string `json:"name"`
	URL  string `json:"url"` // https: or mailto:
}

// about says what somebody needs to know before signing in.
func (s *server) about(c *gin.Context) {
	answer := gin.H{"version": s.Version, "provider": s.SignIn != nil, "sessions": s.Sessions != nil, "restores": s.Restores != nil, "archive": s.Archive != nil,
		"searchable_days": searchableDays, "staff_display": s.StaffDisplay}
	if s.Support.URL != "" {
		answer["support"] = s.Support
	}
	c.JSON(http.StatusOK, answer)
}
