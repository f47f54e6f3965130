package check_test

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func portText(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

// checkSoftLimit holds GOMEMLIMIT against the hard limit: below it, so that the collector works harder before the kernel ends the process.
func checkSoftLimit(t *testing.T, where, soft string, hard int64) {
	t.Helper()
	mib, ok := strings.CutSuffix(soft, "MiB")
	n, err := strconv.ParseInt(mib, 10, 64)
	if !ok || err != nil {
		t.Errorf("%s: GOMEMLIMIT %q: write it in MiB", where, soft)
		return
	}
	if n <<= 20; n > hard*95/100 || n < hard/2 {
		t.Errorf("%s: GOMEMLIMIT %s for a limit of %d MiB: want 50 to 95 %%", where, soft, hard>>20)
	}
}

// properties reads server.properties; a key that stands twice is an error.
func properties(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for line := range strings.Lines(read(t, filepath.Join(deploy, "kafka", "server.properties"))) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		key, v, ok := strings.Cut(line, "=")
		if _, twice := out[key]; !ok || twice {
			t.Errorf("server.properties: %q is not a new key=value", line)
		}
		out[key] = v
	}
	return out
}

func property(t *testing.T, key string) string { return properties(t)[key] }

func TestTheBrokerKeepsWhatIsAcknowledgedAndMakesNoTopicByItself(t *testing.T) {
	p := properties(t)
	for key, want := range map[string]string{
		"auto.create.topics.enable": "false", "unclean.leader.election.enable": "false", "log.cleanup.policy": "delete", "process.roles": "broker,controller",
	} {
		if p[key] != want {
			t.Errorf("%s is %q, want %s", key, p[key], want)
		}
	}
	if n, err := strconv.Atoi(p["message.max.bytes"]); err != nil || n < 1<<20 {
		t.Errorf("message.max.bytes is %s: the frames between the roles need 1 MiB", p["message.max.bytes"])
	}
	most, err := strconv.Atoi(p["group.max.session.timeout.ms"])
	least, err2 := strconv.Atoi(p["group.min.session.timeout.ms"])
	if errors.Join(err, err2) != nil || most < 300_000 || least > 6_000 {
		t.Errorf("sessions of %d to %d ms: kafka.session may be 6s to 5m", least, most)
	}
}

// settingsOf lists the elements below a path of a ClickHouse configuration file.
func settingsOf(t *testing.T, file string, path ...string) []string {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(read(t, file)))
	var at, out []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		switch x := token.(type) {
		case xml.StartElement:
			if slices.Equal(at, path) {
				out = append(out, x.Name.Local)
			}
			at = append(at, x.Name.Local)
		case xml.EndElement:
			at = at[:len(at)-1]
		}
	}
}

func TestTheServersFilesAreWellFormedAndOfClickHouse(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(deploy, "clickhouse", "*", "*.xml"))
	if err != nil || len(files) != 4 {
		t.Fatalf("found %v, %v", files, err)
	}
	for _, f := range files {
		if got := settingsOf(t, f); !slices.Equal(got, []string{"clickhouse"}) {
			t.Errorf("%s begins with %v, want clickhouse", f, got)
		}
		if strings.HasSuffix(f, "users.xml") && len(settingsOf(t, f, "clickhouse", "profiles", "default")) < 4 {
			t.Errorf("%s has no profile default", f)
		}
	}
}

// TestTheProfilesNameSettingsThatExist asks the embedded engine, which is the same program as the server.
func TestTheProfilesNameSettingsThatExist(t *testing.T) {
	library := os.Getenv("TOCSIN_ENGINE_LIBRARY")
	if library == "" {
		cache, _ := os.UserCacheDir()
		found, _ := filepath.Glob(filepath.Join(cache, "tocsin", "engine", "*", "libchdb.so"))
		if len(found) == 0 {
			t.Skip("the engine library is not there: make engine")
		}
		library = found[len(found)-1]
	}
	file := filepath.Join(t.TempDir(), "tocsin.yaml")
	if err := os.WriteFile(file, []byte("engine: {dir: data, library: "+library+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"single", "cluster"} {
		users := filepath.Join(deploy, "clickhouse", kind, "users.xml")
		names := settingsOf(t, users, "clickhouse", "profiles", "default")
		out, err := tocsin(t, "sql", "--config", file, "SELECT groupArray(s) AS missing FROM (SELECT arrayJoin(['"+strings.Join(names, "','")+"']) AS s) WHERE s NOT IN (SELECT name FROM system.settings)", "--json")
		if err != nil || !strings.Contains(out, `{"missing":[]}`) {
			t.Errorf("%s: settings that ClickHouse does not have: %s (%v)", users, out, err)
		}
	}
}
