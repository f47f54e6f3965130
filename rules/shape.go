package rules

// shape says what stands below a key that holds more than one value: which places its mapping is, and whether it is a list of such mappings. Keys
// that are not in here hold values, or mappings with free keys.
type shape struct {
	at    Place
	key   string
	below []Place
	list  bool
}

var shapes = []shape{
	{InRule, "match", []Place{InMatch, InAny}, false},
	{InRule, "throttle", []Place{InThrottle}, false},
	{InRule, "flood", []Place{InFlood}, false},
	{InRule, "severity_if", []Place{InSeverityIf}, true},
	{InRule, "imported_from", []Place{InImported}, false},
	{InRule, "exceptions", []Place{InException}, true},
	{InRule, "tests", []Place{InTest}, true},
	{InExceptions, "exceptions", []Place{InException, InBeside}, true},
	{InMatch, "event", []Place{InStep}, false},
	{InMatch, "sequence", []Place{InStep}, true},
	{InMatch, "all", []Place{InStep}, true},
	{InAny, "any", []Place{InMatch}, true},
	{InMatch, "count", []Place{InCount}, false},
	{InMatch, "consecutive", []Place{InConsecutive}, false},
	{InMatch, "unless", []Place{InUnless}, true},
	{InMatch, "until", []Place{InUntil}, true},
	{InStep, "changed", []Place{InChanged}, false},
	{InStep, "new", []Place{InNew}, false},
	{InStep, "spike", []Place{InSpike}, false},
	{InStep, "beacon", []Place{InBeacon}, false},
	{InStep, "drop", []Place{InDrop}, false},
	{InTest, "given", []Place{InGiven}, false},
	{InTest, "events", []Place{InEvent}, true},
	{InTest, "fires", []Place{InFire}, true},
	{InGiven, "schedules", []Place{InSchedule}, true},
	{InGiven, "bindings", []Place{InBinding}, true},
}

// Below says what the value of a key is at any of the given places: the places of its mapping, or of the mappings of its list. It is empty where the
// value is a plain one, a list of plain ones, or a mapping with free keys.
func Below(key string, at ...Place) (below []Place, list bool) {
	for _, s := range shapes {
		for _, p := range at {
			if s.at == p && s.key == key {
				return s.below, s.list
			}
		}
	}
	return nil, false
}

// KeysAt lists the keys that may stand at any of the places, in the order of the reference.
func KeysAt(at ...Place) []Key {
	var out []Key
	for _, k := range keys {
		for _, p := range k.Places {
			for _, want := range at {
				if p == want {
					k.Places = []Place{p}
					out = append(out, k)
				}
			}
		}
	}
	return out
}

// Expression reports whether the key's value is an expression.
func (k Key) Expression() bool { return k.Type == typeExpression }

// Sources lists entities that a variable may take, as bind writes them: those that are often bound. Any field may be bound too.
func Sources() []string {
	return []string{"user", "robot", "device", "ip", "session", "mac", "actor.user", "target.user", "source.ip", "destination.ip", "source.device", "destination.device"}
}
