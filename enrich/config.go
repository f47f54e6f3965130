package enrich

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"
)

// Config says which files describe the plant. Every file is optional; an absent one means an empty table. A table is a CSV file with a
// header line or a YAML list of mappings, told apart by the file's extension (.csv, .yaml, .yml); docs of the columns stand at the
// row types (AssetInfo, IdentityInfo, ZoneInfo, ScheduleInfo).
type Config struct {
	Assets     string          `yaml:"assets"`     // Inventory of robots, controllers, computers.
	Identities string          `yaml:"identities"` // People and service accounts.
	Zones      string          `yaml:"zones"`      // Networks by CIDR and VLAN.
	Schedules  string          `yaml:"schedules"`  // Maintenance windows.
	Lists      map[string]List `yaml:"lists"`      // Sets of strings and CIDRs by the name rules use in inList.
	Geo        GeoConfig       `yaml:"geo"`        // MaxMind databases; none by default.
	Refresh    time.Duration   `yaml:"refresh"`    // How often the files are looked at again.
	Bindings   BindingsConfig  `yaml:"bindings"`   // Bounds of what is learned from events.
}

// List is one set: from a text file of one entry per line (blank lines and lines starting with # are skipped), or written in place.
type List struct {
	File   string   `yaml:"file"`
	Values []string `yaml:"values"`
}

// GeoConfig names MaxMind DB files. Either may be empty.
type GeoConfig struct {
	City string `yaml:"city"` // A city or country database.
	ASN  string `yaml:"asn"`  // An autonomous system database.
}

// BindingsConfig bounds the learned bindings. The ages say how long a binding holds when nothing ends it earlier.
type BindingsConfig struct {
	Max       int           `yaml:"max"`        // Greatest number of intervals kept; the oldest go first.
	DHCPAge   time.Duration `yaml:"dhcp_age"`   // A lease without a duration.
	RADIUSAge time.Duration `yaml:"radius_age"` // An accounting session without a stop.
	NACAge    time.Duration `yaml:"nac_age"`    // An admission without a stop.
	MDMAge    time.Duration `yaml:"mdm_age"`    // The address a managed device reported.
	DeviceAge time.Duration `yaml:"device_age"` // The hardware address and owner a managed device reported.
}

// DefaultConfig has no files, looks again every minute and keeps 200,000 intervals (about 40 MB).
func DefaultConfig() Config {
	return Config{
		Refresh: time.Minute,
		Bindings: BindingsConfig{
			Max:       200_000,
			DHCPAge:   24 * time.Hour,
			RADIUSAge: 12 * time.Hour,
			NACAge:    12 * time.Hour,
			MDMAge:    time.Hour,
			DeviceAge: 30 * 24 * time.Hour,
		},
	}
}

// Validate reports every setting that cannot be used, with its key and the fix. It does not open files; Load does.
func (c *Config) Validate() error {
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("enrich.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	for _, f := range c.files() {
		if formatOf(f.path) == formatUnknown {
			bad(f.table, "%s is neither CSV nor YAML by its name; rename it to end in .csv, .yaml or .yml", f.path)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Lists)) {
		l := c.Lists[name]
		if !validName(name) {
			bad("lists", "list name %q may only have lower-case letters, digits, dots, dashes and underscores", name)
		}
		if l.File != "" && len(l.Values) > 0 {
			bad("lists."+name, "has both file and values; keep one")
		}
		if l.File == "" && l.Values == nil {
			bad("lists."+name, "has neither file nor values; write one (values: [] for an empty list)")
		}
	}
	if c.Refresh < time.Second {
		bad("refresh", "%v is too short; use 1s or more, such as 1m", c.Refresh)
	}
	if c.Bindings.Max < 100 || c.Bindings.Max > 50_000_000 {
		bad("bindings.max", "%d is out of range; use 100 to 50000000", c.Bindings.Max)
	}
	for _, a := range c.Bindings.ages() {
		if a.age < time.Minute || a.age > maxAge {
			bad("bindings."+a.key, "%v is out of range; use 1m to %v", a.age, maxAge)
		}
	}
	return errors.Join(errs...)
}

// maxAge bounds every interval, also the leases that events state: an infinite lease must not pin an address for ever.
const maxAge = 90 * 24 * time.Hour

type namedAge struct {
	key string
	age time.Duration
}

func (b *BindingsConfig) ages() []namedAge {
	return []namedAge{
		{"dhcp_age", b.DHCPAge},
		{"radius_age", b.RADIUSAge},
		{"nac_age", b.NACAge},
		{"mdm_age", b.MDMAge},
		{"device_age", b.DeviceAge},
	}
}

// tableFile is one configured table file.
type tableFile struct{ table, path string }

// files lists the configured table files in fixed order.
func (c *Config) files() []tableFile {
	all := []tableFile{{"assets", c.Assets}, {"identities", c.Identities}, {"zones", c.Zones}, {"schedules", c.Schedules}}
	return slices.DeleteFunc(all, func(f tableFile) bool { return f.path == "" })
}

// Paths lists every table and list file of the configuration, for a watcher; geo databases are not among them.
func (c *Config) Paths() []string {
	var paths []string
	for _, f := range c.files() {
		paths = append(paths, f.path)
	}
	for _, name := range slices.Sorted(maps.Keys(c.Lists)) {
		if f := c.Lists[name].File; f != "" {
			paths = append(paths, f)
		}
	}
	return paths
}
