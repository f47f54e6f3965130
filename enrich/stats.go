package enrich

// Outcome counts how lookups in one table ended.
type Outcome struct {
	Hit      int // Found.
	Miss     int // Not known.
	Skipped  int // Not asked: an address that stands for many machines.
	Conflict int // Two keys of one thing name different entries; the stronger key, or what was seen, won.
	Failed   int // The table could not answer.
}

func (o *Outcome) add(p Outcome) {
	o.Hit += p.Hit
	o.Miss += p.Miss
	o.Skipped += p.Skipped
	o.Conflict += p.Conflict
	o.Failed += p.Failed
}

// Stats counts what enriching a batch found, by table.
type Stats struct {
	Events     int
	Assets     Outcome // By object with a device, robot or hardware address.
	Identities Outcome // By object with a user.
	Zones      Outcome // By endpoint or device with an address or VLAN.
	Addresses  Outcome // By address: the device behind it.
	Geo        Outcome // By public address of an endpoint.
	Bindings   BindingStats
}

// Add adds the counts of another batch.
func (s *Stats) Add(o Stats) {
	s.Events += o.Events
	s.Assets.add(o.Assets)
	s.Identities.add(o.Identities)
	s.Zones.add(o.Zones)
	s.Addresses.add(o.Addresses)
	s.Geo.add(o.Geo)
	s.Bindings.Learned += o.Bindings.Learned
	s.Bindings.Stopped += o.Bindings.Stopped
	s.Bindings.Late += o.Bindings.Late
	s.Bindings.Refused += o.Bindings.Refused
	s.Bindings.Expired += o.Bindings.Expired
	s.Bindings.Evicted += o.Bindings.Evicted
}

// Each calls f for every count by the names metrics use: table and outcome.
func (s *Stats) Each(f func(table, outcome string, n int)) {
	for _, t := range []struct {
		name string
		o    Outcome
	}{{"assets", s.Assets}, {"identities", s.Identities}, {"zones", s.Zones}, {"addresses", s.Addresses}, {"geo", s.Geo}} {
		f(t.name, "hit", t.o.Hit)
		f(t.name, "miss", t.o.Miss)
		f(t.name, "skipped", t.o.Skipped)
		f(t.name, "conflict", t.o.Conflict)
		f(t.name, "failed", t.o.Failed)
	}
	f("bindings", "learned", s.Bindings.Learned)
	f("bindings", "stopped", s.Bindings.Stopped)
	f("bindings", "late", s.Bindings.Late)
	f("bindings", "refused", s.Bindings.Refused)
	f("bindings", "expired", s.Bindings.Expired)
	f("bindings", "evicted", s.Bindings.Evicted)
}
