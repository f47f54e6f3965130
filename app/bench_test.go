package app_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/store/engine"
	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

// wholeRecords is how many records BenchmarkWholePath plays; TOCSIN_BENCH_RECORDS asks for another number.
const wholeRecords = 400_000

// BenchmarkWholePath plays files of mixed records, 1 KB each in the mean, through the whole program: sources, formats, enrichment, the shipped rules,
// stitching, and the embedded engine as a child process. Processor time is what counts on a machine that others use as well; the
// engine's includes the merges that happen meanwhile.
func BenchmarkWholePath(b *testing.B) {
	if _, err := engine.Locate(b.Context(), engine.DefaultConfig(tempDir(b))); err != nil {
		b.Skip(err)
	}
	total := wholeRecords
	if n, err := strconv.Atoi(os.Getenv("TOCSIN_BENCH_RECORDS")); err == nil {
		total = n
	}
	in := tempDir(b)
	cfg := app.DefaultConfig()
	bytes := plantAtWork(b, &cfg, in, total)
	b.SetBytes(bytes)
	var sum usage
	for b.Loop() {
		b.StopTimer()
		sum.add(playWhole(b, cfg))
		b.StartTimer()
	}
	n := float64(b.N * total)
	b.ReportMetric(n/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(bytes)/float64(total), "record-B")
	b.ReportMetric(float64(sum.mallocs)/n, "allocs/event")
	b.ReportMetric(float64(sum.allocated)/n, "B/event")
	b.ReportMetric(float64(sum.own.Nanoseconds())/n/1000, "own-µs/event")
	b.ReportMetric(float64(sum.engine.Nanoseconds())/n/1000, "engine-µs/event")
	b.ReportMetric(float64(sum.ownPeak)/(1<<20), "own-peak-MiB")
	b.ReportMetric(float64(sum.enginePeak)/(1<<20), "engine-peak-MiB")
}

// playWhole runs the program over the configured files, with a fresh data directory, and times it from the first record to the durable last batch.
func playWhole(b *testing.B, cfg app.Config) usage {
	cfg.Engine.Dir = tempDir(b)
	cfg.Console.Listen = "127.0.0.1:0"
	cfg.Telemetry.Log.Level = "warn"
	var before, used usage
	set := app.ServiceSettings{Log: os.Stderr}
	set.Ready = func(string) {
		runtime.GC()
		before = usageNow(b)
		b.StartTimer()
	}
	err := app.Run(b.Context(), cfg, set, func(_ context.Context, s *app.Service) error {
		b.StopTimer()
		used = usageNow(b).since(before)
		return accepted(s.URL())
	})
	if err != nil {
		b.Fatal(err)
	}
	return used
}

// accepted fails if a record was rejected: then something else would have been measured.
func accepted(url string) error {
	answer, err := http.Get(url + "/metrics")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if !strings.Contains(string(text), `outcome="event"`) || strings.Contains(string(text), `outcome="reject"`) {
		return errors.New("a record of the benchmark was rejected, or none came in")
	}
	return nil
}

// usage is what this process and its engine have used.
type usage struct {
	own, engine         time.Duration // Processor time.
	ownPeak, enginePeak int64         // Resident bytes.
	mallocs, allocated  uint64
}

func (u *usage) add(x usage) {
	u.own, u.engine, u.mallocs, u.allocated = u.own+x.own, u.engine+x.engine, u.mallocs+x.mallocs, u.allocated+x.allocated
	u.ownPeak, u.enginePeak = max(u.ownPeak, x.ownPeak), max(u.enginePeak, x.enginePeak)
}

func (u usage) since(x usage) usage {
	u.own, u.engine, u.mallocs, u.allocated = u.own-x.own, u.engine-x.engine, u.mallocs-x.mallocs, u.allocated-x.allocated
	return u
}

// usageNow reads /proc; elsewhere only allocations are known.
func usageNow(b *testing.B) usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	u := usage{mallocs: m.Mallocs, allocated: m.TotalAlloc}
	u.own, u.ownPeak = processUsage(b, "self")
	lists, _ := filepath.Glob("/proc/self/task/*/children")
	for _, list := range lists {
		pids, _ := os.ReadFile(list)
		for _, pid := range strings.Fields(string(pids)) {
			cpu, peak := processUsage(b, pid)
			u.engine, u.enginePeak = u.engine+cpu, u.enginePeak+peak
		}
	}
	return u
}

func processUsage(b *testing.B, pid string) (cpu time.Duration, peak int64) {
	line, err := os.ReadFile("/proc/" + pid + "/stat")
	if errors.Is(err, os.ErrNotExist) {
		return 0, 0
	}
	must(b, err)
	fields := strings.Fields(string(line[strings.LastIndexByte(string(line), ')')+1:]))
	for _, i := range []int{11, 12} { // utime, stime in hundredths of a second
		ticks, err := strconv.Atoi(fields[i])
		must(b, err)
		cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	status, err := os.ReadFile("/proc/" + pid + "/status")
	must(b, err)
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			must(b, err)
			peak = kb << 10
		}
	}
	return cpu, peak
}

// plantAtWork writes one file per source and the tables of a plant of some hundred robots and some thousand people, and configures both. It gives the
// bytes of all records. The same number of records gives the same bytes.
func plantAtWork(b *testing.B, cfg *app.Config, dir string, total int) (size int64) {
	must(b, app.ScenarioTables(&cfg.Enrich, scenarios.All()[0].Tables, dir))
	assets, err := os.OpenFile(cfg.Enrich.Assets, os.O_APPEND|os.O_WRONLY, 0)
	must(b, err)
	for i := range benchRobots {
		fmt.Fprintf(assets, "bench-amr-%03d,amr,Acme,A-1200,B1200-%04d,bench-amr-%03d.plant.example,,%s,%s,werk-1,robots,,2,5.2.0,yes,no\n", i, i, i, robotIP(i), robotMAC(i))
	}
	must(b, assets.Close())
	start := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	dice := rand.New(rand.NewPCG(1, 2))
	follow := false
	for _, s := range benchSources {
		path := filepath.Join(dir, s.format+".log")
		f, err := os.Create(path)
		must(b, err)
		out := bufio.NewWriter(f)
		n := total * s.percent / 100
		for i := range n {
			at := start.Add(time.Duration(float64(i) / float64(n) * float64(30*time.Minute)))
			written, err := io.WriteString(out, s.line(i, at, dice))
			must(b, err)
			size += int64(written)
		}
		must(b, out.Flush())
		must(b, f.Close())
		cfg.Sources = append(cfg.Sources, app.SourceConfig{Name: s.format, Format: s.format, File: path, Follow: &follow, Site: "werk-1", Timezone: "UTC"})
	}
	slices.SortFunc(cfg.Sources, func(a, b app.SourceConfig) int { return strings.Compare(a.Name, b.Name) })
	return size
}

const benchRobots, benchPeople = 400, 3000

func robotIP(i int) string  { return fmt.Sprintf("10.20.%d.%d", 100+i/200, 1+i%200) }
func robotMAC(i int) string { return fmt.Sprintf("00:00:5e:00:%02x:%02x", 0x60+i/200, i%200) }

// benchSources are what the plant's sources write; the shares add up to 100.
var benchSources = []struct {
	format  string
	percent int
	line    func(i int, at time.Time, dice *rand.Rand) string
}{
	{"okta", 25, oktaLine},
	{"suricata", 25, suricataLine},
	{"vda5050", 20, vdaLine},
	{"universal_robots", 5, cobotLine},
	{"zeek", 25, zeekLine},
}

const milli = "2006-01-02T15:04:05.000Z"

func oktaLine(i int, at time.Time, dice *rand.Rand) string {
	who := dice.IntN(benchPeople)
	kind, app := "user.authentication.sso", `[{"id":"0oa1fleet","type":"AppInstance","alternateId":"Fleet Console","displayName":"OpenID Connect Client","detailEntry":{"signOnModeType":"OPENID_CONNECT"}}]`
	if dice.IntN(4) == 0 {
		kind, app = "user.session.start", "null"
	}
	return fmt.Sprintf(`{"uuid":"7c1e0a52-11f1-4b6e-9d00-%012d","published":"%s","eventType":"%s","version":"0","severity":"INFO","legacyEventType":"core.user_auth.login_success",`+
		`"displayMessage":"User single sign on to app","actor":{"id":"00u7person%08d","type":"User","alternateId":"person%d@plant.example","displayName":"Person Number %d","detailEntry":null},`+
		`"client":{"userAgent":{"rawUserAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36 Edg/130.0.0.0","os":"Windows 11","browser":"EDGE"},`+
		`"zone":"null","device":"Computer","id":null,"ipAddress":"203.0.113.10","geographicalContext":{"city":"Kassel","state":"Hesse","country":"Germany","postalCode":"34117","geolocation":{"lat":51.31,"lon":9.48}}},`+
		`"device":null,"authenticationContext":{"authenticationProvider":null,"credentialProvider":null,"credentialType":null,"issuer":null,"interface":null,"authenticationStep":0,`+
		`"rootSessionId":"idx%08d","externalSessionId":"102k%08d"},"outcome":{"result":"SUCCESS","reason":null},"target":%s,`+
		`"transaction":{"type":"WEB","id":"Zx%010d","detail":{}},"debugContext":{"debugData":{"requestId":"Zx%010d","requestUri":"/app/fleet_console/sso/saml","dtHash":"5d1c%016x","url":"/app/fleet_console/sso/saml?",`+
		`"initiationType":"SP_INITIATED","signOnMode":"OpenID Connect"}},"securityContext":{"asNumber":64500,"asOrg":"plant network","isp":"plant network","domain":"plant.example","isProxy":false},`+
		`"request":{"ipChain":[{"ip":"203.0.113.10","geographicalContext":null,"version":"V4","source":null}]}}`+"\n",
		i, at.Format(milli), kind, who, who, who, who, who*7+i%3, app, i, i, dice.Uint64())
}

func suricataLine(i int, at time.Time, dice *rand.Rand) string {
	from, to, port := office(dice), fmt.Sprintf("10.40.1.%d", 20+dice.IntN(100)), 443
	if dice.IntN(2) == 0 {
		from, to, port = robotIP(dice.IntN(benchRobots)), "10.20.1.10", 8883
	}
	stamp := at.Format("2006-01-02T15:04:05.000000-0700")
	if i%4 != 0 {
		return fmt.Sprintf(`{"timestamp":"%s","flow_id":%d,"in_iface":"mirror0","event_type":"flow","vlan":[20],"src_ip":"%s","src_port":%d,"dest_ip":"%s","dest_port":%d,"proto":"TCP","app_proto":"tls",`+
			`"flow":{"pkts_toserver":%d,"pkts_toclient":%d,"bytes_toserver":%d,"bytes_toclient":%d,"start":"%s","end":"%s","age":12,"state":"closed","reason":"timeout","alerted":false},`+
			`"community_id":"1:LQU9qZlK+B5F3KDme%08d=","tcp":{"tcp_flags":"1b","tcp_flags_ts":"1b","tcp_flags_tc":"1b","syn":true,"fin":true,"psh":true,"ack":true,"state":"closed","ts_max_regions":1,"tc_max_regions":1}}`+"\n",
			stamp, 1_700_000_000_000_000+i, from, 32768+dice.IntN(28000), to, port, dice.IntN(400), dice.IntN(400), dice.IntN(90_000), dice.IntN(90_000), stamp, stamp, i)
	}
	return fmt.Sprintf(`{"timestamp":"%s","flow_id":%d,"in_iface":"mirror0","event_type":"alert","vlan":[20],"src_ip":"%s","src_port":%d,"dest_ip":"%s","dest_port":%d,"proto":"TCP","pkt_src":"wire/pcap","tx_id":0,`+
		`"community_id":"1:LQU9qZlK+B5F3KDme%08d=","alert":{"action":"allowed","gid":1,"signature_id":29%05d,"rev":3,"signature":"PLANT INFO TLS session without server name number %d","category":"Misc activity","severity":3,`+
		`"metadata":{"created_at":["2026_01_15"],"updated_at":["2026_06_02"],"confidence":["Low"],"deployment":["Perimeter"],"signature_severity":["Informational"]}},`+
		`"tls":{"subject":"CN=broker.plant.example","issuerdn":"CN=Plant Issuing CA 2","serial":"0A:1B:2C:3D:4E","fingerprint":"6a:b1:52:10:7d:ee:91:aa:c0:3f:7e:21:00:18:5b:9c:d2:4e:aa:10","sni":"broker.plant.example","version":"TLS 1.3",`+
		`"notbefore":"2026-01-01T00:00:00","notafter":"2027-01-01T00:00:00"},"app_proto":"tls","direction":"to_server","flow":{"pkts_toserver":%d,"pkts_toclient":%d,"bytes_toserver":%d,"bytes_toclient":%d,"start":"%s"}}`+"\n",
		stamp, 1_700_000_000_000_000+i, from, 32768+dice.IntN(28000), to, port, i, i%40, i%40, dice.IntN(40), dice.IntN(40), dice.IntN(9000), dice.IntN(9000), stamp)
}

func office(dice *rand.Rand) string {
	return fmt.Sprintf("10.10.%d.%d", 4+dice.IntN(12), 1+dice.IntN(250))
}

func vdaLine(i int, at time.Time, dice *rand.Rand) string {
	r := i % benchRobots
	var nodes strings.Builder
	for k := range 3 {
		fmt.Fprintf(&nodes, `%s{"nodeId":"n%d","sequenceId":%d,"released":true,"nodePosition":{"x":%d.25,"y":%d.5,"theta":0.78,"mapId":"hall3"}}`, strings.Repeat(",", min(k, 1)), k+i%40, 2*k, dice.IntN(80), dice.IntN(40))
	}
	return fmt.Sprintf(`{"topic":"uagv/v2/Acme/B1200-%04d/state","payload":{"headerId":%d,"timestamp":"%s","version":"2.1.0","manufacturer":"Acme","serialNumber":"B1200-%04d","orderId":"o-%d","orderUpdateId":0,`+
		`"zoneSetId":"zones-7","lastNodeId":"n%d","lastNodeSequenceId":%d,"nodeStates":[%s],"edgeStates":[{"edgeId":"e%d","sequenceId":1,"released":true}],"driving":%t,"paused":false,"newBaseRequest":false,`+
		`"distanceSinceLastNode":%d.5,"actionStates":[{"actionId":"a%d","actionType":"pick","actionStatus":"WAITING"}],"batteryState":{"batteryCharge":%d.5,"batteryVoltage":48.1,"batteryHealth":97,"charging":false,"reach":5200},`+
		`"operatingMode":"AUTOMATIC","errors":[],"information":[],"safetyState":{"eStop":"NONE","fieldViolation":false},"velocity":{"vx":0.9,"vy":0.0,"omega":0.01},`+
		`"agvPosition":{"x":%d.25,"y":%d.5,"theta":0.78,"mapId":"hall3","positionInitialized":true,"localizationScore":0.97}}}`+"\n",
		r, 1000+i/benchRobots, at.Format(milli), r, i/benchRobots/60, i%40, i%20*2, nodes.String(), i%40, dice.IntN(5) > 0, dice.IntN(9), i, 40+r%50, dice.IntN(80), dice.IntN(40))
}

func cobotLine(i int, at time.Time, dice *rand.Rand) string {
	c := []struct{ name, serial, ip, program, sum string }{
		{"cobot-01", "20195500101", "10.20.4.1", "screwing_l3.urp", "4C1F88D2"},
		{"cobot-02", "20195500102", "10.20.4.2", "palletizing_l1.urp", "A07714BE"},
		{"cobot-03", "20235500103", "10.20.4.3", "welding_cell.urp", "9F3A21C4"},
	}[i%3]
	return fmt.Sprintf(`{"timestamp":"%s","type":"state","serial":"%s","robot":"%s","ip":"%s","model":"UR10e","robotMode":"RUNNING","safetyMode":"NORMAL","operationalMode":"AUTOMATIC","programState":"PLAYING",`+
		`"loadedProgram":"%s","safetyChecksum":"%s","remoteControl":true,"speedScaling":1.0,"jointTemperatures":[%d.1,33.0,34.2,31.8,30.0,29.7],"toolVoltage":24,"powerOnSeconds":%d}`+"\n",
		at.Format(milli), c.serial, c.name, c.ip, c.program, c.sum, 30+dice.IntN(9), i)
}

func zeekLine(i int, at time.Time, dice *rand.Rand) string {
	from, to, port, service := robotIP(dice.IntN(benchRobots)), "10.20.1.10", 8883, "ssl"
	switch dice.IntN(3) {
	case 0:
		from, to, port, service = office(dice), fmt.Sprintf("10.40.1.%d", 20+dice.IntN(100)), 443, "ssl"
	case 1:
		from, to, port, service = "10.30.2.11", "10.30.1.11", 502, "modbus"
	}
	return fmt.Sprintf(`{"_path":"conn","_system_name":"zeek-hall3","_write_ts":"%s","ts":%d.%06d,"uid":"CqA1bXy%011d","id.orig_h":"%s","id.orig_p":%d,"id.resp_h":"%s","id.resp_p":%d,"proto":"tcp","service":"%s",`+
		`"duration":%d.5,"orig_bytes":%d,"resp_bytes":%d,"conn_state":"SF","local_orig":true,"local_resp":true,"missed_bytes":0,"history":"ShADadFf","orig_pkts":%d,"orig_ip_bytes":%d,"resp_pkts":%d,"resp_ip_bytes":%d,`+
		`"vlan":20,"orig_l2_addr":"00:00:5e:00:90:01","resp_l2_addr":"00:00:5e:00:90:02","community_id":"1:LQU9qZlK+B5F3KDme%08d="}`+"\n",
		at.Format(milli), at.Unix(), at.Nanosecond()/1000, i, from, 32768+dice.IntN(28000), to, port, service, dice.IntN(60), dice.IntN(90_000), dice.IntN(90_000), dice.IntN(300), dice.IntN(90_000), dice.IntN(300), dice.IntN(90_000), i)
}
