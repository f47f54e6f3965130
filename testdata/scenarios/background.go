package scenarios

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"time"
)

// backgrounds are the sources of the night shift with what each of them writes.
var backgrounds = []struct {
	format string
	lines  func(p *plant) []line
}{
	{"okta", identityProvider},
	{"change_ticket", ticketSystem},
	{"cisco_ise", accessControl},
	{"dhcpd", leases},
	{"crowdstrike", endpointAgents},
	{"openssh", jumpHost},
	{"zeek", networkSensor},
	{"suricata", intrusionSensor},
	{"nozomi_cef", plantSensor},
	{"vda5050", mobileRobots},
	{"universal_robots", robotControllers},
}

// plant is the generator of one source's background: the same name and shift give the same lines.
type plant struct {
	from, until time.Time
	dice        *rand.Rand
	lines       []line
	serial      int
}

func newPlant(source string, from, until time.Time) *plant {
	h := fnv.New64a()
	_, _ = h.Write([]byte(source))                                                            // Never fails.
	return &plant{from: from, until: until, dice: rand.New(rand.NewPCG(20261120, h.Sum64()))} //nolint:gosec // A fixed seed is the point.
}

// every calls do about each step of the shift, from an offset, each time late by up to jitter.
func (p *plant) every(offset, step, jitter time.Duration, do func(at time.Time)) {
	for t := p.from.Add(offset); t.Before(p.until); t = t.Add(step) {
		late := time.Duration(0)
		if jitter > 0 {
			late = time.Duration(p.dice.Int64N(int64(jitter)))
		}
		if at := t.Add(late).Truncate(time.Millisecond); at.Before(p.until) {
			do(at)
		}
	}
}

// say adds a line.
func (p *plant) say(at time.Time, format string, args ...any) {
	p.lines = append(p.lines, line{at.UnixMilli(), fmt.Sprintf(format, args...)})
}

// next is a number that no other line of the source has.
func (p *plant) next() int { p.serial++; return p.serial }

// between is a number from low to high.
func (p *plant) between(low, high int) int { return low + p.dice.IntN(high-low+1) }

// iso is the time in UTC as JSON logs write it.
func iso(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// berlin is the offset of the plant's clocks in November.
var berlin = time.FixedZone("", 3600)

// stamp is the time as the plant's syslog daemons write it (RFC 5424).
func stamp(t time.Time) string { return t.In(berlin).Format("2006-01-02T15:04:05.000000-07:00") }

// machine is one thing of the plant.
type machine struct{ name, ip, mac, serial string }

var (
	nordwerk = []machine{
		{"amr-01", "10.20.3.1", "00:00:5e:00:53:01", "NW600-0001"},
		{"amr-02", "10.20.3.2", "00:00:5e:00:53:02", "NW600-0002"},
		{"amr-03", "10.20.3.3", "00:00:5e:00:53:03", "NW600-0003"},
	}
	acme = []machine{
		{"amr-07", "10.20.3.7", "00:00:5e:00:53:07", "A1200-0007"},
		{"amr-08", "10.20.3.8", "00:00:5e:00:53:08", "A1200-0008"},
	}
	cobots = []machine{
		{"cobot-01", "10.20.4.1", "00:00:5e:00:53:11", "20195500101"},
		{"cobot-02", "10.20.4.2", "00:00:5e:00:53:12", "20195500102"},
		{"cobot-03", "10.20.4.3", "00:00:5e:00:53:13", "20235500103"},
	}
	humanoids = []machine{
		{"humanoid-01", "10.20.5.1", "00:00:5e:00:53:21", "H1-0001"},
		{"humanoid-02", "10.20.5.2", "00:00:5e:00:53:23", "H1-0002"},
	}
	controllers = []machine{
		{"plc-01", "10.30.1.11", "00:00:5e:00:53:41", ""},
		{"plc-02", "10.30.1.12", "00:00:5e:00:53:42", ""},
		{"plc-04", "10.30.1.14", "00:00:5e:00:53:44", ""},
	}
	panels = []machine{
		{"hmi-01", "10.30.2.11", "00:00:5e:00:53:51", "TP-0001"},
		{"hmi-02", "10.30.2.12", "00:00:5e:00:53:52", "TP-0002"},
	}
	stations = []machine{
		{"eng-ws-01", "10.30.5.1", "00:00:5e:00:53:71", "DL-0001"},
		{"eng-ws-02", "10.30.5.2", "00:00:5e:00:53:72", "DL-0002"},
	}
	laptops = []machine{
		{"lt-ana", "10.10.4.21", "00:00:5e:00:53:81", "PF-0001"},
		{"lt-jonas", "10.10.4.22", "00:00:5e:00:53:83", "PF-0002"},
	}
)

// robots are all machines that move.
func robots() []machine {
	var out []machine
	for _, group := range [][]machine{nordwerk, acme, cobots, humanoids} {
		out = append(out, group...)
	}
	return out
}

// person is somebody who works this night or signs in from an office behind the plant's NAT.
type person struct{ uid, email, name, device string }

var people = []person{
	{"00u1ana0silva0000001", "ana.silva@plant.example", "Ana Silva", "lt-ana"},
	{"00u1jonas0weber00002", "jonas.weber@plant.example", "Jonas Weber", "lt-jonas"},
	{"00u1lena0koch0000003", "lena.koch@plant.example", "Lena Koch", "lt-lena"},
	{"00u1piotr0nowak00004", "piotr.nowak@plant.example", "Piotr Nowak", "lt-piotr"},
	{"00u1sofia0rossi00005", "sofia.rossi@plant.example", "Sofia Rossi", "lt-sofia"},
	{"00u1aylin0demir00006", "aylin.demir@plant.example", "Aylin Demir", "lt-aylin"},
	{"00u1bruno0keller0007", "bruno.keller@plant.example", "Bruno Keller", "lt-bruno"},
	{"00u1carla0lorenz0008", "carla.lorenz@plant.example", "Carla Lorenz", "lt-carla"},
	{"00u1dario0marino0009", "dario.marino@plant.example", "Dario Marino", "lt-dario"},
	{"00u1elif0yilmaz00010", "elif.yilmaz@plant.example", "Elif Yilmaz", "lt-elif"},
	{"00u1frank0vogel00011", "frank.vogel@plant.example", "Frank Vogel", "lt-frank"},
	{"00u1anita0silva00012", "anita.silva@plant.example", "Anita Silva", "lt-anita"},
}
