package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"gopkg.in/yaml.v3"
)

// kustomize is what builds the manifests, as a module and version of Go.
const kustomize = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"

// built is a kustomization as kubectl would apply it.
func built(t *testing.T, name string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "run", kustomize, "build", filepath.Join("..", "..", "deploy", "kubernetes", name))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		if os.Getenv("ACTIONLOG_TOOLS") != "required" && strings.Contains(errs.String(), "dial tcp") {
			t.Skipf("kustomize cannot be had: %v", err)
		}
		t.Fatalf("kustomize: %v\n%s", err, errs.String())
	}
	return out.String()
}

type labels map[string]string

// has tells whether all of a selector is among the labels.
func (l labels) has(selector labels) bool {
	for key, value := range selector {
		if l[key] != value {
			return false
		}
	}
	return len(selector) > 0
}

type podSpec struct {
	Automount       *bool `yaml:"automountServiceAccountToken"`
	SecurityContext struct {
		RunAsNonRoot   bool `yaml:"runAsNonRoot"`
		SeccompProfile struct{ Type string }
	} `yaml:"securityContext"`
	Containers []struct {
		Args            []string
		LivenessProbe   any `yaml:"livenessProbe"`
		ReadinessProbe  any `yaml:"readinessProbe"`
		StartupProbe    any `yaml:"startupProbe"`
		Resources       struct{ Requests, Limits map[string]string }
		SecurityContext struct {
			Escalation   *bool `yaml:"allowPrivilegeEscalation"`
			ReadOnly     bool  `yaml:"readOnlyRootFilesystem"`
			Capabilities struct{ Drop []string }
		} `yaml:"securityContext"`
		VolumeMounts []struct{ Name string } `yaml:"volumeMounts"`
	}
	Volumes []struct {
		Name   string
		Secret struct {
			DefaultMode int `yaml:"defaultMode"`
		}
		ConfigMap struct{ Name string } `yaml:"configMap"`
	}
}

type manifest struct {
	Kind     string
	Metadata struct{ Name, Namespace string }
	Data     map[string]string
	Spec     struct {
		Replicas    int
		Selector    any
		PodSelector struct {
			MatchLabels labels `yaml:"matchLabels"`
		} `yaml:"podSelector"`
		ClaimTempl []struct{ Metadata struct{ Name string } } `yaml:"volumeClaimTemplates"`
		Template   struct {
			Metadata struct{ Labels labels }
			Spec     podSpec
		}
	}
}

// selects is whom an object selects; nil where it selects nobody.
func (m *manifest) selects() labels {
	if m.Kind == "NetworkPolicy" {
		return m.Spec.PodSelector.MatchLabels
	}
	all, ok := m.Spec.Selector.(map[string]any)
	if inner, yes := all["matchLabels"].(map[string]any); yes {
		all = inner
	}
	if !ok {
		return nil
	}
	l := labels{}
	for key, value := range all {
		l[key] = fmt.Sprint(value)
	}
	return l
}

// TestManifests builds the manifests, and holds them against the schemas of Kubernetes, the
// Pod Security Standard "restricted", and the options that the binary has.
func TestManifests(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"one", "cluster"} {
		t.Run(name, func(t *testing.T) {
			text := built(t, name)
			checkSchemas(t, text)
			var all []manifest
			d := yaml.NewDecoder(strings.NewReader(text))
			for {
				var m manifest
				err := d.Decode(&m)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, m)
			}
			pods := 0
			config := map[string]string{}
			for _, m := range all {
				maps.Copy(config, m.Data)
			}
			for i := range all {
				m := &all[i]
				if m.Kind != "Namespace" && m.Metadata.Namespace != "actionlog" {
					t.Errorf("%s %s is in %q", m.Kind, m.Metadata.Name, m.Metadata.Namespace)
				}
				if len(m.Spec.Template.Spec.Containers) > 0 {
					pods++
					m.checkPod(t, config)
				}
				m.checkSelector(t, all)
			}
			if want := map[string]int{"one": 1, "cluster": 3}[name]; pods != want {
				t.Errorf("%d kinds of pods, not %d", pods, want)
			}
		})
	}
}

// checkSelector: what an object selects is there.
func (m *manifest) checkSelector(t *testing.T, all []manifest) {
	switch m.Kind {
	case "Service", "PodDisruptionBudget", "NetworkPolicy", "StatefulSet", "Deployment":
	default:
		return
	}
	for i := range all {
		if all[i].Spec.Template.Metadata.Labels.has(m.selects()) {
			return
		}
	}
	t.Errorf("%s %s selects %v, which no pod is", m.Kind, m.Metadata.Name, m.selects())
}

func (m *manifest) checkPod(t *testing.T, config map[string]string) {
	pod := m.Spec.Template.Spec
	c := pod.Containers[0]
	no := func(b *bool) bool { return b != nil && !*b }
	if !pod.SecurityContext.RunAsNonRoot || !no(pod.Automount) || !no(c.SecurityContext.Escalation) || !c.SecurityContext.ReadOnly || fmt.Sprint(c.SecurityContext.Capabilities.Drop) != "[ALL]" {
		t.Errorf("%s may too much: %+v", m.Metadata.Name, c.SecurityContext)
	}
	if c.LivenessProbe == nil || c.ReadinessProbe == nil || c.StartupProbe == nil || c.Resources.Requests["cpu"] == "" || c.Resources.Limits["memory"] == "" {
		t.Errorf("%s has no probes or resources", m.Metadata.Name)
	}
	volumes := map[string]bool{}
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
		if v.ConfigMap.Name != "" && !strings.HasPrefix(v.ConfigMap.Name, "actionlog-") {
			t.Errorf("%s reads the options %s, whose name does not change with them", m.Metadata.Name, v.ConfigMap.Name)
		}
	}
	for _, v := range m.Spec.ClaimTempl {
		volumes[v.Metadata.Name] = true
	}
	for _, v := range c.VolumeMounts {
		if !volumes[v.Name] {
			t.Errorf("%s mounts %s, which is not there", m.Metadata.Name, v.Name)
		}
	}
	args := c.Args
	for i, arg := range args {
		if file, ok := strings.CutPrefix(arg, "--config=/options/"); ok {
			path := filepath.Join(t.TempDir(), file)
			if err := os.WriteFile(path, []byte(config[file]), 0o600); err != nil || config[file] == "" {
				t.Fatalf("%s is not among the options: %v", file, err)
			}
			args[i] = "--config=" + path
		}
	}
	understood(t, args)
}

// understood fails where the program would not start with these arguments: an option that
// is not there, or does not go with another.
func understood(t *testing.T, args []string) *serveCmd {
	t.Helper()
	var cli commands
	parser, err := newParser(&cli, &console{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
	if err == nil {
		_, err = parser.Parse(args)
	}
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	c := &cli.Serve
	if err := errors.Join(c.checkAddress(), c.checkRole(), c.checkNATS()); err != nil {
		t.Errorf("%v: %v", args, err)
	}
	return c
}

// checkSchemas holds manifests against the schemas of Kubernetes, strictly.
func checkSchemas(t *testing.T, text string) {
	python := os.Getenv("ACTIONLOG_TEST_PYTHON")
	if python == "" {
		python = "python3"
	}
	file := filepath.Join(t.TempDir(), "manifests.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := exec.CommandContext(t.Context(), python, "-c", "import kubernetes_validate").Run(); err != nil && os.Getenv("ACTIONLOG_TOOLS") != "required" {
		t.Log("kubernetes-validate (PyPI) is not here: the schemas are not looked at")
		return
	}
	validate := func(file string) ([]byte, error) {
		return exec.CommandContext(t.Context(), python, "-m", "kubernetes_validate", "--strict", "-k", "1.36", file).CombinedOutput()
	}
	if out, err := validate(file); err != nil || !bytes.Contains(out, []byte("passed")) {
		t.Errorf("kubernetes-validate: %v\n%s", err, out)
	}
	wrong := strings.Replace(text, "readOnlyRootFilesystem:", "readOnlyRootFileSystem:", 1)
	if err := os.WriteFile(file, []byte(wrong), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := validate(file); err == nil {
		t.Errorf("a misspelt field is not seen: %s", out)
	}
}

// allowedCalls are the system calls of a group of systemd's, and of those in it.
func allowedCalls(t *testing.T, group string) map[string]bool {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "systemd-analyze", "syscall-filter", group).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze syscall-filter %s: %v\n%s", group, err, out)
	}
	calls := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		switch name := strings.TrimSpace(line); {
		case name == "" || name == group || strings.HasPrefix(name, "#"):
		case strings.HasPrefix(name, "@"):
			maps.Copy(calls, allowedCalls(t, name))
		default:
			calls[name] = true
		}
	}
	return calls
}

// TestUnitLetsTheServiceWork: every system call that the service makes, from start to stop
// and under some load, is one that the unit's filter allows.
func TestUnitLetsTheServiceWork(t *testing.T) {
	t.Parallel()
	strace, _ := tool(t, "strace"), tool(t, "systemd-analyze")
	allowed := allowedCalls(t, "@system-service")
	for _, group := range []string{"@privileged", "@resources"} {
		for name := range allowedCalls(t, group) {
			delete(allowed, name)
		}
	}
	if !strings.Contains(deployed(t, "deploy", "systemd", "actionlog.service"), "SystemCallFilter=@system-service\nSystemCallFilter=~@privileged @resources\n") {
		t.Fatal("the unit has another filter than this test")
	}
	if os.Geteuid() == 0 {
		allowed["fchown"] = true // SQLite gives files to the owner of others, if it is root, which it is not there
	}
	dir, counts := t.TempDir(), filepath.Join(t.TempDir(), "counts")
	p := &process{dir: dir, env: []string{"ACTIONLOG_TEST_MAIN=1"},
		args: []string{strace, "-f", "-c", "-o", counts, os.Args[0], "serve", "--data", dir, "--listen", "127.0.0.1:0", "--nats-listen", "127.0.0.1:0", "--archive-seal-age", "300ms"}}
	p.start(t)
	s := connect(t, dir)
	s.publish(t, inventedLines(200, time.Now()))
	s.list(t, "invented", map[string][]string{"range": {"90d"}, "limit": {"1000"}})
	s.command(t, statusDone, "export", "--institution", "invented", "--range", "90d", "-o", filepath.Join(t.TempDir(), "out.ndjson"))
	s.archived(t)
	children, err := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", p.cmd.Process.Pid)) // strace passes no signal on
	if err != nil {
		t.Fatal(err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(string(children)))
	if err == nil {
		err = syscall.Kill(child, syscall.SIGINT)
	}
	if err != nil {
		t.Fatal(err)
	}
	_ = p.cmd.Wait() // the status is strace's own
	text, err := os.ReadFile(counts)
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 5 || fields[0] == "%" || strings.HasPrefix(fields[0], "---") || fields[len(fields)-1] == "total" {
			continue
		}
		seen++
		if name := fields[len(fields)-1]; !allowed[name] {
			t.Errorf("the service calls %s, which the unit does not allow", name)
		}
	}
	if seen < 30 {
		t.Errorf("only %d system calls were seen:\n%s", seen, text)
	}
}

var exposure = regexp.MustCompile(`Overall exposure level for \S+: ([0-9.]+)`)

// TestUnits: systemd finds nothing to say about the units, they are shut in, and the binary
// has the options that they give it.
func TestUnits(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	dir := filepath.Join("..", "..", "deploy", "systemd")
	there := t.TempDir()
	for _, name := range []string{"actionlog.service", "actionlog-backup.service", "actionlog-backup.timer"} {
		text := deployed(t, "deploy", "systemd", name)
		for line := range strings.Lines(text) {
			command, ok := strings.CutPrefix(line, "ExecStart=/usr/local/bin/actionlog ")
			if !ok {
				continue
			}
			args := strings.Fields(strings.Replace(command, "/etc/actionlog/actionlog.yaml", filepath.Join(dir, "actionlog.yaml"), 1))
			var cli commands
			parser, err := newParser(&cli, &console{in: strings.NewReader(""), out: io.Discard, err: io.Discard})
			if err == nil {
				_, err = parser.Parse(args)
			}
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		// Only what is to be started is another: it is not on this machine.
		text = strings.ReplaceAll(text, "/usr/local/bin/actionlog ", "/bin/true ")
		if err := os.WriteFile(filepath.Join(there, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"actionlog.service", "actionlog-backup.service", "actionlog-backup.timer"} {
		out, err := exec.CommandContext(t.Context(), analyze, "verify", filepath.Join(there, name)).CombinedOutput()
		if err != nil || len(bytes.TrimSpace(out)) > 0 {
			t.Errorf("systemd-analyze verify %s: %v\n%s", name, err, out)
		}
	}
	out, err := exec.CommandContext(t.Context(), analyze, "security", "--offline=true", "--no-pager", filepath.Join(there, "actionlog.service")).CombinedOutput()
	found := exposure.FindSubmatch(out)
	if found == nil {
		t.Fatalf("systemd-analyze security: %v\n%s", err, out)
	}
	if level, err := strconv.ParseFloat(string(found[1]), 64); err != nil || level > 1.5 {
		t.Errorf("the unit is exposed by %s: %v\n%s", found[1], err, out)
	}
}
