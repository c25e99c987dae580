package enginetest

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
)

//go:embed maven
var files embed.FS

// packages is a fetched engine.
type packages struct {
	dir  string // of the jars and the launcher's classes
	home string // of the JDK
	main string // the launcher's class
}

// need is what a release needs: a JDK, and of OpenSearch a release of log4j.
func (r Release) need() (jdk int, log4j string) {
	switch r {
	case OpenSearch3:
		return 21, "2.25.3"
	case OpenSearch2:
		return 17, "2.21.0"
	}
	return 21, ""
}

// fetch has Maven fetch a release, once for this machine, and compiles its
// launcher.
func fetch(r Release) (*packages, error) {
	jdk, log4j := r.need()
	home := javaHome(jdk)
	mvn, err := exec.LookPath("mvn")
	if home == "" || err != nil {
		return nil, fmt.Errorf("%w: %s is not set, Docker does not answer, and there is no Maven with a JDK %d or newer (JAVA_HOME)", errNone, r.Variable(), jdk)
	}
	kind, version := r.split()
	p := &packages{home: home, main: "OpenSearchNode"}
	if kind == "elasticsearch" {
		p.main = "ElasticsearchNode"
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	cache = filepath.Join(cache, "actionlog-enginetest")
	p.dir = filepath.Join(cache, string(r)+"-"+contentHash(kind, p.main))
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	unlock, err := lock(filepath.Join(cache, "lock"))
	if err != nil {
		return nil, err
	}
	defer unlock()
	if _, err := os.Stat(p.dir); err == nil {
		return p, nil
	}
	work, err := os.MkdirTemp(cache, "new-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	if err := p.build(work, mvn, kind, version, log4j, jdk); err != nil {
		return nil, err
	}
	return p, os.Rename(filepath.Join(work, "lib"), p.dir)
}

func contentHash(kind, main string) string {
	h := sha256.New()
	for _, name := range []string{kind + ".xml", main + ".java"} {
		text, _ := fs.ReadFile(files, "maven/"+name) // embedded: it is there
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil))[:12]
}

// lock holds a file against other processes that fetch.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

func (p *packages) build(work, mvn, kind, version, log4j string, jdk int) error {
	lib := filepath.Join(work, "lib")
	for _, name := range []string{kind + ".xml", p.main + ".java"} {
		text, err := fs.ReadFile(files, "maven/"+name)
		if err == nil {
			err = os.WriteFile(filepath.Join(work, name), text, 0o644)
		}
		if err != nil {
			return err
		}
	}
	args := []string{"-q", "-B", "-f", filepath.Join(work, kind+".xml"), "-Dengine.version=" + version, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=" + lib}
	if log4j != "" {
		args = append(args, "-Dlog4j.version="+log4j)
	}
	if out, err := exec.Command(mvn, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("fetching by Maven: %s %s: %w: %s", kind, version, err, tail(out))
	}
	out, err := exec.Command(filepath.Join(p.home, "bin", "javac"), "-nowarn", "-proc:none", "--release", strconv.Itoa(jdk), "-cp", filepath.Join(lib, "*"),
		"-d", filepath.Join(lib, "classes"), filepath.Join(work, p.main+".java")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("the launcher of %s does not compile: %w: %s", kind, err, tail(out))
	}
	if kind == "elasticsearch" {
		return p.module(lib)
	}
	return nil
}

// module puts the transport of Elasticsearch where it looks for modules: into a
// folder of its own, with its description.
func (p *packages) module(lib string) error {
	dir := filepath.Join(lib, "modules", "transport-netty4")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	jar := ""
	for _, pattern := range []string{"transport-netty4-*.jar", "netty-*.jar"} {
		found, err := filepath.Glob(filepath.Join(lib, pattern))
		if err != nil {
			return err
		}
		for _, path := range found {
			moved := filepath.Join(dir, filepath.Base(path))
			if err := os.Rename(path, moved); err != nil {
				return err
			}
			if strings.HasPrefix(filepath.Base(path), "transport-") {
				jar = moved
			}
		}
	}
	unpack := exec.Command(filepath.Join(p.home, "bin", "jar"), "xf", jar, "META-INF/es-plugins")
	unpack.Dir = dir
	if out, err := unpack.CombinedOutput(); err != nil {
		return fmt.Errorf("the transport of Elasticsearch: %w: %s", err, tail(out))
	}
	text, err := os.ReadFile(filepath.Join(dir, "META-INF", "es-plugins", "transport-netty4", "plugin-descriptor.properties"))
	if err != nil {
		return err
	}
	text = regexp.MustCompile(`(?m)^modulename.*\n`).ReplaceAll(text, nil)
	if err := os.WriteFile(filepath.Join(dir, "plugin-descriptor.properties"), text, 0o644); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(dir, "META-INF"))
}

// tail is the end of an output, without addresses of registries.
func tail(out []byte) string {
	text := regexp.MustCompile(`[a-z]+://[^ )]+`).ReplaceAllString(string(out), "(registry)")
	if len(text) > 600 {
		text = "… " + text[len(text)-600:]
	}
	return strings.TrimSpace(text)
}

// javaHome finds a JDK of at least a version; "" where there is none.
func javaHome(least int) string {
	var homes []string
	if home := os.Getenv("JAVA_HOME"); home != "" {
		homes = append(homes, home)
	}
	for _, name := range []string{"javac", "java"} {
		path, err := exec.LookPath(name)
		if err == nil {
			path, err = filepath.EvalSymlinks(path)
		}
		if err != nil {
			continue
		}
		home := filepath.Dir(filepath.Dir(path))
		beside, _ := filepath.Glob(filepath.Join(filepath.Dir(home), "*")) // the pattern is well formed
		homes = append(append(homes, home), beside...)
	}
	for _, home := range homes {
		out, err := exec.Command(filepath.Join(home, "bin", "javac"), "-version").CombinedOutput()
		if err != nil {
			continue
		}
		version := regexp.MustCompile(`javac (\d+)`).FindSubmatch(out)
		if version == nil {
			continue
		}
		if n, err := strconv.Atoi(string(version[1])); err == nil && n >= least {
			return home
		}
	}
	return ""
}
