// Package check_test holds the deployment files against the loaders of those who will read them (compose-go, kustomize, the Kubernetes API types,
// BuildKit's Dockerfile parser, Prometheus' rule parser) and against the program: commands, flags, roles, ports, keys and metrics.
// It is a module of its own, so that these libraries do not become requirements of the program.
package check_test

import (
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Folders as seen from this package.
const (
	deploy = ".."
	root   = "../.."
)

var built string // The folder that program made.

// program builds the command once for all tests and gives its path.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "tocsin-deploy")
	if err != nil {
		return "", err
	}
	built = dir
	path := filepath.Join(dir, "tocsin")
	build := exec.Command("go", "build", "-o", path, "./cmd/tocsin")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return "", errors.New(string(out))
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// tocsin runs the program and gives what it prints on both outputs, and how it ended.
func tocsin(t *testing.T, args ...string) (string, error) {
	t.Helper()
	path, err := program()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), path, args...)
	c.Env = []string{"HOME=" + t.TempDir()}
	out, err := c.CombinedOutput()
	return string(out), err
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// settings are the keys of a configuration that deployment files must agree with.
type settings struct {
	Sources []struct {
		Name  string `yaml:"name"`
		Topic string `yaml:"topic"`
	} `yaml:"sources"`
	Kafka struct {
		Brokers    []string `yaml:"brokers"`
		DeadLetter string   `yaml:"dead_letter"`
	} `yaml:"kafka"`
	Relay struct {
		Partitions  int `yaml:"partitions"`
		Replication int `yaml:"replication"`
	} `yaml:"relay"`
	ClickHouse struct {
		Addr     []string `yaml:"addr"`
		Username string   `yaml:"username"`
	} `yaml:"clickhouse"`
	Triage struct {
		Endpoints []struct {
			AllowCIDRs []string `yaml:"allow_cidrs"`
		} `yaml:"endpoints"`
	} `yaml:"triage"`
	Console struct {
		Listen string   `yaml:"listen"`
		Hosts  []string `yaml:"hosts"`
		TLS    struct {
			Cert string `yaml:"cert"`
		} `yaml:"tls"`
	} `yaml:"console"`
	Telemetry struct {
		Listen string `yaml:"listen"`
	} `yaml:"telemetry"`
}

// load has the program load a configuration file and gives it with all defaults.
func load(t *testing.T, file string) settings {
	t.Helper()
	out, err := tocsin(t, "config", "print", "--config", file)
	if err != nil {
		t.Fatalf("%s does not load: %s", file, out)
	}
	var s settings
	if err := yaml.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return s
}

func port(t *testing.T, address string) string {
	t.Helper()
	_, p, err := net.SplitHostPort(address)
	if err != nil {
		t.Error(err)
	}
	return p
}

var (
	usage    = regexp.MustCompile(`(?m)^Usage:\n  tocsin (.*?)(?: \[flags\])?$`)
	flagName = regexp.MustCompile(`(?m)^ +(?:-[a-z], )?--([a-z-]+)`)
	roleLine = regexp.MustCompile(`(?m)^ +--role string +.*: (.*?)(?: \(default .*\))?$`)
	word     = regexp.MustCompile(`[a-z]+`)
)

// checkCommand holds a command line against --help: the command exists, so do its flags, and a role is one of those named there.
func checkCommand(t *testing.T, where string, args []string) {
	t.Helper()
	n := slices.IndexFunc(args, func(a string) bool { return strings.HasPrefix(a, "-") })
	if n < 0 {
		n = len(args)
	}
	name := strings.Join(args[:n], " ")
	help, err := tocsin(t, append(slices.Clone(args[:n]), "--help")...)
	if m := usage.FindStringSubmatch(help); err != nil || name == "" || m == nil || m[1] != name {
		t.Errorf("%s: there is no command tocsin %s", where, name)
		return
	}
	known := map[string]bool{}
	for _, m := range flagName.FindAllStringSubmatch(help, -1) {
		known[m[1]] = true
	}
	for i, a := range args[n:] {
		flag, ok := strings.CutPrefix(a, "--")
		if !ok {
			continue
		}
		if !known[flag] {
			t.Errorf("%s: tocsin %s has no flag --%s", where, name, flag)
		}
		if flag == "role" && !slices.Contains(roles(t), args[n+i+1]) {
			t.Errorf("%s: there is no role %s: known are %v", where, args[n+i+1], roles(t))
		}
	}
}

// roles are those that tocsin run --help names.
func roles(t *testing.T) []string {
	t.Helper()
	help, _ := tocsin(t, "run", "--help")
	m := roleLine.FindStringSubmatch(help)
	if m == nil {
		t.Fatalf("tocsin run --help does not list the roles:\n%s", help)
	}
	return slices.DeleteFunc(word.FindAllString(m[1], -1), func(s string) bool { return s == "or" })
}

// value is what follows a flag; "" if it is not given.
func value(args []string, flag string) string {
	if i := slices.Index(args, flag); i >= 0 && i+1 < len(args) {
		return args[i+1]
	}
	return ""
}

func TestTheExampleConfigurationLoads(t *testing.T) {
	load(t, filepath.Join(deploy, "tocsin.yaml"))
}

func TestTheUnitStartsCommandsThatExist(t *testing.T) {
	n := 0
	for line := range strings.Lines(read(t, filepath.Join(deploy, "tocsin.service"))) {
		if _, command, ok := strings.Cut(strings.TrimSpace(line), "=/usr/local/bin/tocsin "); ok {
			n++
			checkCommand(t, "tocsin.service", strings.Fields(command))
		}
	}
	if n != 2 {
		t.Errorf("%d commands found in tocsin.service, want 2", n)
	}
}
