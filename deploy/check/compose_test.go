package check_test

import (
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// project loads compose.yaml as docker compose does, schema and all, with profiles.
func project(t *testing.T, profiles ...string) *types.Project {
	t.Helper()
	o, err := cli.NewProjectOptions([]string{filepath.Join(deploy, "compose.yaml")}, cli.WithProfiles(profiles))
	if err != nil {
		t.Fatal(err)
	}
	p, err := o.LoadProject(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// ours are the services of the image that is built here.
func ours(p *types.Project) map[string]types.ServiceConfig {
	out := map[string]types.ServiceConfig{}
	for name, s := range p.Services {
		if s.Build != nil {
			out[name] = s
		}
	}
	return out
}

func TestComposeHasOneProcessOrTheRoles(t *testing.T) {
	for profile, want := range map[string][]string{"single": {"all"}, "scaled": {"correlate", "ingest", "triage"}} {
		var got []string
		for name, s := range ours(project(t, profile)) {
			checkCommand(t, "compose.yaml, "+name, s.Command)
			if r := value(s.Command, "--role"); r != "" {
				got = append(got, r)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("profile %s runs the roles %v, want %v", profile, got, want)
		}
	}
	if n := len(ours(project(t))); n != 0 {
		t.Errorf("without a profile %d services of Tocsin run, want none", n)
	}
}

func TestComposeServicesAreConfinedAndLimited(t *testing.T) {
	p := project(t, "single", "scaled")
	for name, s := range p.Services {
		if s.Deploy == nil || s.Deploy.Resources.Limits == nil || s.Deploy.Resources.Limits.MemoryBytes == 0 || s.Deploy.Resources.Limits.NanoCPUs == 0 {
			t.Errorf("%s has no limits of memory and CPU", name)
		} else if soft := s.Environment["GOMEMLIMIT"]; soft != nil {
			checkSoftLimit(t, name, *soft, int64(s.Deploy.Resources.Limits.MemoryBytes))
		}
		if !slices.Contains(s.SecurityOpt, "no-new-privileges:true") && name != "clickhouse" { // its entry point changes to its user
			t.Errorf("%s may gain privileges", name)
		}
		if s.Privileged || s.NetworkMode == "host" {
			t.Errorf("%s is not confined", name)
		}
		for _, published := range s.Ports {
			if published.HostIP != "127.0.0.1" {
				t.Errorf("%s publishes %s on %q, want loopback only: its certificate is for this machine alone", name, published.Published, published.HostIP)
			}
		}
		for key, v := range s.Environment {
			if secretName.MatchString(key) && !strings.HasSuffix(key, "_FILE") {
				t.Errorf("%s has %s in its environment: use a secret", name, key)
			}
			if v == nil {
				t.Errorf("%s takes %s from whoever starts it", name, key)
			}
		}
		if s.Build == nil && name != "source-topics" && (s.HealthCheck == nil || len(s.HealthCheck.Test) < 2) {
			t.Errorf("%s has no health check", name)
		}
	}
	for name, s := range ours(p) {
		if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || s.User != "" {
			t.Errorf("%s: want a read-only root, no capabilities and the user of the image", name)
		}
		if !slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Type == "tmpfs" && v.Target == "/tmp" }) {
			t.Errorf("%s has no writable /tmp", name)
		}
	}
}

var secretName = regexp.MustCompile(`(?i)password|secret|token|key$`)

func TestComposeAgreesWithItsConfiguration(t *testing.T) {
	p := project(t, "single", "scaled")
	file := ""
	for name, s := range ours(p) {
		i := slices.IndexFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool { return v.Target == value(s.Command, "--config") })
		if i < 0 {
			t.Fatalf("%s reads the configuration %s, which nothing mounts", name, value(s.Command, "--config"))
		}
		file = s.Volumes[i].Source
	}
	cfg := load(t, file)
	for _, broker := range cfg.Kafka.Brokers {
		checkReaches(t, p, broker)
		if !strings.Contains(property(t, "advertised.listeners"), broker) {
			t.Errorf("the broker tells clients to come to %s, the configuration says %s", property(t, "advertised.listeners"), broker)
		}
	}
	for _, a := range cfg.ClickHouse.Addr {
		checkReaches(t, p, a)
	}
	if u := p.Services["clickhouse"].Environment["CLICKHOUSE_USER"]; u == nil || *u != cfg.ClickHouse.Username {
		t.Errorf("the server's user is not %s", cfg.ClickHouse.Username)
	}
	if cfg.Relay.Replication != len(cfg.Kafka.Brokers) {
		t.Errorf("relay.replication is %d with %d brokers", cfg.Relay.Replication, len(cfg.Kafka.Brokers))
	}
	for name, s := range ours(p) {
		for _, published := range s.Ports {
			if to := portText(published.Target); to != port(t, cfg.Console.Listen) && to != port(t, cfg.Telemetry.Listen) {
				t.Errorf("%s publishes port %s, where nothing listens", name, to)
			}
		}
		if s.Deploy.Replicas != nil && value(s.Command, "--role") == "correlate" && *s.Deploy.Replicas > cfg.Relay.Partitions {
			t.Errorf("%d members of correlate share %d partitions", *s.Deploy.Replicas, cfg.Relay.Partitions)
		}
	}
	for _, source := range cfg.Sources {
		if source.Topic != "" && !slices.Contains(strings.Fields(strings.NewReplacer(";", " ").Replace(strings.Join(p.Services["source-topics"].Command, " "))), source.Topic) {
			t.Errorf("nothing makes the topic %s of source %s", source.Topic, source.Name)
		}
	}
	mounted := regexp.MustCompile(`/run/secrets/([a-z-]+)`)
	for _, m := range mounted.FindAllStringSubmatch(read(t, file), -1) {
		for name, s := range ours(p) {
			if !slices.ContainsFunc(s.Secrets, func(x types.ServiceSecretConfig) bool { return x.Source == m[1] }) {
				t.Errorf("%s has no secret %s", name, m[1])
			}
		}
	}
	made := read(t, filepath.Join(deploy, "compose", "make-secrets"))
	for name := range p.Secrets {
		if !regexp.MustCompile(`for name in [^;]*\b` + name + `\b|-out "\$dir/` + name + `"|-keyout "\$dir/` + name + `"`).MatchString(made) {
			t.Errorf("make-secrets does not make the secret %s", name)
		}
	}
}

// checkReaches reports an address that no service of the project has.
func checkReaches(t *testing.T, p *types.Project, address string) {
	t.Helper()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		t.Error(err)
	}
	if _, ok := p.Services[host]; !ok {
		t.Errorf("the configuration names %s, but there is no service %s", address, host)
	}
}

func TestComposeRunsTheBrokerThatTheTestsRun(t *testing.T) {
	pom := regexp.MustCompile(`<kafka.version>(.*)</kafka.version>`).FindStringSubmatch(read(t, filepath.Join(root, "integration", "broker", "pom.xml")))
	if image := project(t).Services["kafka"].Image; pom == nil || image != "apache/kafka:"+pom[1] {
		t.Errorf("compose.yaml runs %s, the tests %v", image, pom)
	}
}
