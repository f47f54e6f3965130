package enrich

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// Relation says what a binding ties to what.
type Relation uint8

// The relations, by identifier and entity. An address is tied to a hardware address, device or user; so is a hardware address; a device
// to its user.
const (
	IPToMAC Relation = iota + 1
	IPToDevice
	IPToUser
	MACToDevice
	MACToUser
	DeviceToUser
)

var relationNames = [...]string{"", "ip-mac", "ip-device", "ip-user", "mac-device", "mac-user", "device-user"}

// String is the name in columns and output.
func (r Relation) String() string { return relationNames[min(int(r), len(relationNames)-1)] }

// Source is what kind of event a binding was learned from, in order of confidence.
type Source uint8

// The sources, least trusted first (MDM > NAC > RADIUS > DHCP).
const (
	SourceDHCP Source = iota + 1
	SourceRADIUS
	SourceNAC
	SourceMDM
)

var sources = [...]struct {
	name       string
	confidence uint8 // Per cent.
	family     uint8 // A stop ends what its own or a lower family said.
}{{}, {"dhcp", 50, 1}, {"radius", 60, 2}, {"nac", 75, 2}, {"mdm", 90, 3}}

// String is the name in columns and output.
func (s Source) String() string { return sources[s].name }

// Confidence is how far the source is trusted, in per cent.
func (s Source) Confidence() uint8 { return sources[s].confidence }

// Binding says that an identifier belonged to an entity from From (inclusive) to To (exclusive), in microseconds.
type Binding struct {
	Relation   Relation
	Identifier string // Address, hardware address or canonical device id.
	Entity     string // Canonical id, such as mac:02:00:5e:10:00:07, robot:amr-07 or user:ana.silva.
	Session    string // The source's session; "" if it names none.
	From, To   int64
	Source     Source
	Confidence uint8 // Per cent, from the source.
}

// Bounds on what one event can put into the state.
const (
	maxIdentifier     = 256
	maxIntervalsPerID = 64
	latest            = 253_402_300_800_000_000 // The year 10000: later stamps are nonsense and would overflow.
)

// interval is one stretch of time in which an identifier was said to belong to an entity, or the record that ended one.
type interval struct {
	from   int64 // First said.
	last   int64 // Said again.
	until  int64 // When it ends if nothing else ends it.
	to     int64 // When it ends, given the other intervals of the slot.
	told   int64 // The end last reported in Changes; 0 before.
	entity string
	sess   string
	source Source
	stop   bool
}

type slotKey struct {
	relation Relation
	id       string
}

// slot holds the intervals of one identifier in order (compareIntervals).
type slot struct {
	intervals []interval
	touched   bool // Listed in Bindings.touched.
}

// Bindings is what events taught about who had which address when. It belongs to one goroutine. Its state is a function of what was
// observed in which order, and of nothing else: AppendState of equal histories gives equal bytes.
type Bindings struct {
	max     int
	ages    BindingsConfig
	slots   map[slotKey]*slot
	count   int   // Intervals in all slots.
	newest  int64 // Newest instant observed.
	touched []slotKey
	changes []Binding
	journal []byte // What the batch observed.
	stats   BindingStats
}

// BindingStats counts what happened to bindings since the last call of takeStats.
type BindingStats struct {
	Learned int // Intervals opened or prolonged.
	Stopped int // Stop records.
	Late    int // Of these, older than what was already known for the identifier.
	Refused int // Identifiers or entities too long to keep, or times beyond sense.
	Expired int // Dropped for being over for longer than a week.
	Evicted int // Dropped for lack of room.
}

// NewBindings gives empty bindings with the bounds of c.
func NewBindings(c BindingsConfig) *Bindings {
	return &Bindings{max: c.Max, ages: c, slots: map[slotKey]*slot{}}
}

// Len is the number of intervals kept.
func (b *Bindings) Len() int { return b.count }

// Add observes one binding as if an event had taught it; To is its natural end, or 0 for the source's default age. It takes part in the
// next Changes.
func (b *Bindings) Add(x Binding) {
	until := x.To
	if until == 0 {
		until = x.From + b.age(x.Relation, x.Source)
	}
	b.observe(x.Relation, x.Identifier, interval{from: x.From, last: x.From, until: until, entity: x.Entity, sess: x.Session, source: x.Source})
}

// Stop observes that an identifier stopped belonging to an entity ("" for whichever it was) at an instant.
func (b *Bindings) Stop(r Relation, identifier, entity, session string, at int64, source Source) {
	b.observe(r, identifier, interval{from: at, last: at, until: at, entity: entity, sess: session, source: source, stop: true})
}

// age is the default length of an interval in microseconds.
func (b *Bindings) age(r Relation, s Source) int64 {
	var d time.Duration
	switch {
	case s == SourceDHCP:
		d = b.ages.DHCPAge
	case s == SourceRADIUS:
		d = b.ages.RADIUSAge
	case s == SourceNAC:
		d = b.ages.NACAge
	case r == IPToMAC || r == IPToDevice || r == IPToUser:
		d = b.ages.MDMAge
	default:
		d = b.ages.DeviceAge
	}
	return d.Microseconds()
}

func (b *Bindings) observe(r Relation, identifier string, x interval) {
	if identifier == "" || x.entity == "" && !x.stop {
		return
	}
	if len(identifier) > maxIdentifier || len(x.entity) > maxIdentifier || x.from <= 0 || x.from > latest {
		b.stats.Refused++
		return
	}
	if len(x.sess) > maxIdentifier {
		x.sess = ""
	}
	if x.stop {
		b.stats.Stopped++
	} else {
		b.stats.Learned++
		x.until = min(max(x.until, x.from+1), x.from+maxAge.Microseconds())
	}
	b.newest = max(b.newest, x.from)
	b.note(r, identifier, &x)
	k := slotKey{r, identifier}
	s := b.slots[k]
	if s == nil {
		k.id = strings.Clone(identifier)
		s = &slot{}
		b.slots[k] = s
	}
	before := len(s.intervals)
	late, dropped := s.put(x)
	if late {
		b.stats.Late++
	}
	b.stats.Evicted += dropped
	b.count += len(s.intervals) - before
	if !s.touched {
		s.touched = true
		b.touched = append(b.touched, k)
	}
}

// put merges x into the slot or inserts it at its place in time.
func (s *slot) put(x interval) (late bool, dropped int) {
	late = slices.ContainsFunc(s.intervals, func(y interval) bool { return y.last > x.from })
	if s.prolong(&x) {
		s.settle()
		return late, 0
	}
	x.entity, x.sess = s.own(x.entity, x.sess)
	at, _ := slices.BinarySearchFunc(s.intervals, x, compareIntervals)
	s.intervals = slices.Insert(s.intervals, at, x)
	if late {
		s.split(at)
	}
	if n := len(s.intervals); n > maxIntervalsPerID {
		dropped = n - maxIntervalsPerID
		s.intervals = slices.Delete(s.intervals, 0, dropped)
	}
	s.settle()
	return late, dropped
}

// own gives copies of the strings, shared with an earlier interval of the slot where it has the same.
func (s *slot) own(entity, session string) (string, string) {
	for i := range s.intervals {
		x := &s.intervals[i]
		if x.entity == entity && x.sess == session {
			return x.entity, x.sess
		}
	}
	return strings.Clone(entity), strings.Clone(session)
}

// prolong lets a repeated statement lengthen the interval it repeats, if that still holds at the time and nothing was said in between that
// the repetition contradicts.
func (s *slot) prolong(x *interval) bool {
	for i := len(s.intervals) - 1; i >= 0; i-- {
		y := &s.intervals[i]
		if y.from > x.from {
			continue
		}
		if y.stop != x.stop || y.entity != x.entity || y.source != x.source || y.sess != x.sess {
			if y.to > x.from && x.ends(y) {
				return false
			}
			continue
		}
		if x.stop {
			return y.from == x.from
		}
		if x.from >= y.to && (y.to < y.until || x.from > y.until) {
			return false
		}
		y.last, y.until = max(y.last, x.from), max(y.until, x.until)
		return true
	}
	return false
}

// split divides the intervals that the one at n ends in their middle, although they were stated again after it: they begin anew then.
func (s *slot) split(n int) {
	x := s.intervals[n]
	var again []interval
	for i := range n {
		y := &s.intervals[i]
		if y.stop || y.last <= x.from || !x.ends(y) {
			continue
		}
		z := *y
		z.from, z.told = y.last, 0
		y.last = y.from
		again = append(again, z)
	}
	for _, z := range again {
		at, _ := slices.BinarySearchFunc(s.intervals, z, compareIntervals)
		s.intervals = slices.Insert(s.intervals, at, z)
	}
}

// settle computes the end of every interval: its natural end, or the first later interval that ends it.
func (s *slot) settle() {
	for i := range s.intervals {
		y := &s.intervals[i]
		y.to = y.until
		for j := i + 1; j < len(s.intervals) && s.intervals[j].from < y.to; j++ {
			if s.intervals[j].ends(y) {
				y.to = s.intervals[j].from
				break
			}
		}
	}
}

// ends reports whether x, which does not begin before y, ends it: a contradiction of equal or higher confidence, or a stop that means it.
func (x *interval) ends(y *interval) bool {
	if y.stop {
		return false
	}
	if !x.stop {
		return x.entity != y.entity && x.source >= y.source
	}
	if x.entity != "" && x.entity != y.entity {
		return false
	}
	if x.sess != "" && y.sess != "" {
		if x.sess == y.sess {
			return true
		}
		if x.source == y.source {
			return false // Another session of the same client: roaming starts the new one before it stops the old.
		}
	}
	return sources[x.source].family >= sources[y.source].family
}

func compareIntervals(a, b interval) int {
	if c := cmp.Compare(a.from, b.from); c != 0 {
		return c
	}
	if a.stop != b.stop {
		if a.stop {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(a.source, b.source), strings.Compare(a.entity, b.entity), strings.Compare(a.sess, b.sess))
}

// find is the interval of the identifier that holds at the instant: the most trusted, then the latest; nil if there is none.
func (b *Bindings) find(r Relation, identifier string, at int64) *interval {
	s := b.slots[slotKey{r, identifier}]
	if s == nil {
		return nil
	}
	var best *interval
	for i := range s.intervals {
		y := &s.intervals[i]
		if y.from > at {
			break
		}
		if at < y.to && !y.stop && (best == nil || y.source >= best.source) {
			best = y
		}
	}
	return best
}

// Resolve is the entity an identifier belonged to at an instant, in microseconds; "" if nothing is known.
func (b *Bindings) Resolve(r Relation, identifier string, at int64) (entity string, source Source) {
	if y := b.find(r, identifier, at); y != nil {
		return y.entity, y.source
	}
	return "", 0
}
