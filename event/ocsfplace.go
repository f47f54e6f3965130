package event

import (
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tocsin-siem/tocsin/event/ocsf"
)

// placement is where a path of ours goes in a class.
type placement struct {
	names    []string
	lists    []bool
	profiles []string
	attr     ocsf.Attribute
	unmapped bool
}

type placeKey struct {
	class uint32
	path  string
}

var places sync.Map // placeKey to *placement; at most classes × paths entries

func (d *document) place(p string) *placement {
	key := placeKey{d.class.UID, p}
	if v, ok := places.Load(key); ok {
		return v.(*placement)
	}
	pl := findPlace(d.class, p)
	places.Store(key, pl)
	return pl
}

// fileHomes is where classes that are about a file of a certain use have it.
var fileHomes = map[uint32]string{ClassModule: "module.", ClassDriver: "driver.", ClassJob: "job.", ClassScript: "script.", ClassWindowsService: "win_service.service_"}

// homes are the paths of a class at which a path of ours may stand, best first.
func homes(c *ocsf.Class, p string) []string {
	if home, ok := fileHomes[c.UID]; ok && strings.HasPrefix(p, "file.") {
		return []string{home + p}
	}
	return []string{p, "evidences." + p}
}

func findPlace(c *ocsf.Class, p string) *placement {
	for _, full := range homes(c, p) {
		if pl := resolvePlace(c, full); pl != nil {
			return pl
		}
	}
	return &placement{unmapped: true}
}

// usable gives the profile to name for an attribute, "" for one that needs none. Profiles with required attributes of their own, such as
// cloud, are not ours to name.
func usable(a ocsf.Attribute) (profile string, ok bool) {
	if len(a.Profiles) == 0 {
		return "", true
	}
	for _, q := range []string{"host", "security_control", "incident"} {
		if slices.Contains(a.Profiles, q) {
			return q, true
		}
	}
	return "", false
}

func resolvePlace(c *ocsf.Class, full string) *placement {
	pl := resolvePlaceObject(c, full)
	if pl == nil || pl.attr.Object != "" {
		return nil
	}
	return pl
}

func resolvePlaceObject(c *ocsf.Class, full string) *placement {
	if _, ok := c.Attribute(full); !ok {
		return nil
	}
	pl := &placement{names: strings.Split(full, ".")}
	for i := range pl.names {
		a, _ := c.Attribute(strings.Join(pl.names[:i+1], "."))
		pl.lists = append(pl.lists, a.Array)
		q, ok := usable(a)
		if !ok {
			return nil
		}
		if q != "" {
			pl.profiles = append(pl.profiles, q)
		}
		pl.attr = a
	}
	return pl
}

// leaf puts one value where its class wants it. text is its plain form for observables and conversions; "" where it has none.
func (d *document) leaf(p string, value []byte, text string) {
	pl := d.place(p)
	if pl.unmapped {
		d.unmapped(p, value)
		return
	}
	value, ok := convert(pl.attr, value, text)
	if !ok {
		d.unmapped(p, value)
		return
	}
	n := d.root
	for i, name := range pl.names {
		n = n.member(name)
		n.list = pl.lists[i] && i < len(pl.names)-1
	}
	if pl.attr.Array && value[0] != '[' {
		value = append(append([]byte{'['}, value...), ']')
	}
	n.value = value
	for _, q := range pl.profiles {
		if !slices.Contains(d.used, q) {
			d.used = append(d.used, q)
		}
	}
}

// convert brings a value to the type the schema wants.
func convert(a ocsf.Attribute, value []byte, text string) ([]byte, bool) {
	switch a.Type {
	case "integer_t", "long_t", "port_t", "timestamp_t":
		if len(value) > 0 && value[0] == '"' {
			n, err := strconv.ParseInt(text, 10, 64)
			return integer(n), err == nil
		}
	case "boolean_t", "float_t", "json_t":
	default:
		if len(value) > 0 && value[0] != '"' && value[0] != '[' {
			return quoted(string(value)), true
		}
	}
	return value, true
}

func (d *document) unmapped(key string, value []byte) {
	u := d.root.member("unmapped")
	n := u.member(key)
	if n.value == nil {
		n.value = value
	}
}
