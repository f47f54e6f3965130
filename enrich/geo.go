package enrich

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/tocsin-siem/tocsin/event"
)

// Geo looks addresses up in MaxMind databases. It belongs to one goroutine.
type Geo struct {
	city  *maxminddb.Reader // nil if not configured.
	asn   *maxminddb.Reader
	cache map[netip.Addr]place
}

// place is what the databases know about one address.
type place struct {
	location event.Location
	as       event.AS
	failed   bool
}

// maxPlaces bounds the cache, which is emptied when it is full: attackers come from few addresses, scans from many.
const maxPlaces = 16_384

// OpenGeo maps the configured databases into memory; nil if none is configured. The error names the key, the file and the fix.
func OpenGeo(c GeoConfig) (*Geo, error) {
	if c.City == "" && c.ASN == "" {
		return nil, nil
	}
	g := &Geo{cache: map[netip.Addr]place{}}
	var errs []error
	for _, db := range []struct {
		key, path string
		to        **maxminddb.Reader
	}{{"city", c.City, &g.city}, {"asn", c.ASN, &g.asn}} {
		if db.path == "" {
			continue
		}
		r, err := maxminddb.Open(db.path)
		if err != nil {
			errs = append(errs, fmt.Errorf("enrich.geo.%s: %s: %w; use a MaxMind DB file (.mmdb) or leave the key out", db.key, db.path, err))
			continue
		}
		*db.to = r
	}
	if len(errs) > 0 {
		return nil, errors.Join(append(errs, g.Close())...)
	}
	return g, nil
}

// Close unmaps the databases. Nothing may be looked up after or during it.
func (g *Geo) Close() error {
	var errs []error
	for _, r := range []*maxminddb.Reader{g.city, g.asn} {
		if r != nil {
			errs = append(errs, r.Close())
		}
	}
	return errors.Join(errs...)
}

// cityRecord and asnRecord are the parts we read of the published layouts (dev.maxmind.com, GeoLite2 City and ASN).
type cityRecord struct {
	Country struct {
		ISO string `maxminddb:"iso_code"`
	} `maxminddb:"country"`
	City struct {
		Names struct {
			English string `maxminddb:"en"`
		} `maxminddb:"names"`
	} `maxminddb:"city"`
	Subdivisions []struct {
		ISO string `maxminddb:"iso_code"`
	} `maxminddb:"subdivisions"`
}

type asnRecord struct {
	Number uint32 `maxminddb:"autonomous_system_number"`
	Name   string `maxminddb:"autonomous_system_organization"`
}

// find looks up a public address; the zero place if the databases do not know it.
func (g *Geo) find(ip netip.Addr) place {
	if p, ok := g.cache[ip]; ok {
		return p
	}
	p := g.read(ip)
	if len(g.cache) >= maxPlaces {
		clear(g.cache)
	}
	g.cache[ip] = p
	return p
}

func (g *Geo) read(ip netip.Addr) place {
	var p place
	if g.city != nil {
		var r cityRecord
		if err := g.city.Lookup(ip).Decode(&r); err != nil {
			p.failed = true
		} else {
			p.location = event.Location{Country: r.Country.ISO, City: r.City.Names.English}
			if len(r.Subdivisions) > 0 {
				p.location.Region = r.Subdivisions[0].ISO
			}
		}
	}
	if g.asn != nil {
		var r asnRecord
		if err := g.asn.Lookup(ip).Decode(&r); err != nil {
			p.failed = true
		} else {
			p.as = event.AS(r)
		}
	}
	return p
}

// public reports whether an address can be in a database of the Internet.
func public(ip netip.Addr) bool {
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !carrierNAT.Contains(ip)
}
