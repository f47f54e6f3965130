package expression

import (
	"net/netip"
	"strings"
	"time"

	"github.com/expr-lang/expr/types"
	"golang.org/x/net/publicsuffix"

	"github.com/tocsin-siem/tocsin/event"
)

// Function documents a function that expressions may call. Example is an expression with constant arguments; Result is its value as text.
type Function struct {
	Name      string
	Signature string
	Doc       string
	Example   string // "" where an example needs an event or a match.
	Result    string
	Over      string // "event" or "match" where it is not for both.
}

// function is one of our own functions: its documentation, its form for the checker and expr's machine, and its closure.
type function struct {
	doc      Function
	lookup   bool                  // Reads the caller's tables.
	raw      bool                  // Reads the event's raw fields.
	arity    int                   // How many arguments at least, where the checker cannot tell.
	first    func(event.Kind) bool // What may stand first, where the checker cannot tell.
	constant func(i int) bool      // Which arguments must be constant strings; nil: none.
	check    func(string) string
	bind     func(*Machine) any // The Go function expr's machine calls.
	compile  func(c *compiler, args []code) code
}

var assetFields = []struct {
	name string
	kind event.Kind
	doc  string
}{
	{"kind", event.KindString, "plc, hmi, robot, workstation …"},
	{"name", event.KindString, "name in the inventory"},
	{"site", event.KindString, "plant"},
	{"zone", event.KindString, "network zone or cell"},
	{"vendor", event.KindString, "manufacturer"},
	{"model", event.KindString, "model or series"},
	{"owner_team", event.KindString, "team that answers for it"},
	{"criticality", event.KindInt, "1 low to 4 critical"},
	{"humans_near", event.KindBool, "people work beside it"},
	{"restricted_area", event.KindBool, "it stands in a restricted area"},
}

// AssetFields lists the attributes that asset(id) has, with their kinds; Lookups.AssetField is asked for no other.
func AssetFields() (names []string, kinds []event.Kind) {
	for _, f := range assetFields {
		names, kinds = append(names, f.name), append(kinds, f.kind)
	}
	return names, kinds
}

func first(i int) bool      { return i == 0 }
func afterFirst(i int) bool { return i > 0 }

// ownFunctions are the functions expr does not have, but for asset, known and duration, which resolve replaces.
var ownFunctions = []function{
	{
		doc: Function{
			Name: "cidr", Signature: `cidr(ip string, networks ...string) bool`, Doc: "The address lies in one of the networks, which are constants. What is not an address lies in none.",
			Example: `cidr("10.1.2.3", "10.0.0.0/8", "192.168.0.0/16")`, Result: "true",
		},
		constant: afterFirst, check: checkNetwork,
		bind:    func(*Machine) any { return cidr },
		compile: compileCIDR,
	},
	{
		doc: Function{
			Name: "private", Signature: `private(ip string) bool`, Doc: "The address is private, link-local, loopback or a unique local one.",
			Example: `private("192.168.4.7")`, Result: "true",
		},
		bind: func(*Machine) any { return private },
		compile: func(_ *compiler, a []code) code {
			s := a[0].s
			return boolCode(func(f *frame) bool { return private(s(f)) })
		},
	},
	{
		doc: Function{
			Name: "inList", Signature: `inList(list string, value string) bool`, Doc: "The list of that name holds the value. The name is a constant.",
			Example: `inList("vendors", "acme")`, Result: "true",
		},
		lookup: true, constant: first,
		bind: func(m *Machine) any { return func(list, v string) bool { return m.frame.look.InList(list, v) } },
		compile: func(_ *compiler, a []code) code {
			list, v := a[0].val.Str, a[1].s
			return boolCode(func(f *frame) bool { return f.look.InList(list, v(f)) })
		},
	},
	{
		doc: Function{
			Name: "window", Signature: `window(kind string, entity string, time int) bool`,
			Doc:     "A window of that kind, such as maintenance, is open for the entity (a canonical id) at that time. The kind is a constant.",
			Example: `window("maintenance", "robot:r1", 1767607200000)`, Result: "true",
		},
		lookup: true, constant: first,
		bind: func(m *Machine) any {
			return func(kind, entity string, at int) bool { return m.frame.inWindow(kind, entity, int64(at)) }
		},
		compile: func(_ *compiler, a []code) code {
			kind, entity, at := a[0].val.Str, a[1].s, a[2].i
			return boolCode(func(f *frame) bool { return f.inWindow(kind, entity(f), at(f)) })
		},
	},
	{
		doc:  Function{Name: "hour", Signature: `hour(time int) int`, Doc: "Hour of the day, 0 to 23, UTC.", Example: `hour(1767607200000)`, Result: "10"},
		bind: func(*Machine) any { return func(ms int) int { return hour(int64(ms)) } },
		compile: func(_ *compiler, a []code) code {
			t := a[0].i
			return intCode(func(f *frame) int64 { return int64(hour(t(f))) })
		},
	},
	{
		doc:  Function{Name: "weekday", Signature: `weekday(time int) int`, Doc: "Day of the week, 1 Monday to 7 Sunday, UTC.", Example: `weekday(1767607200000)`, Result: "1"},
		bind: func(*Machine) any { return func(ms int) int { return weekday(int64(ms)) } },
		compile: func(_ *compiler, a []code) code {
			t := a[0].i
			return intCode(func(f *frame) int64 { return int64(weekday(t(f))) })
		},
	},
	{
		doc: Function{
			Name: "clamp", Signature: `clamp(n number, low int = 0, high int = 100) int`, Doc: "n rounded, and no less than low and no more than high.",
			Example: `clamp(130)`, Result: "100",
		},
		bind:    func(*Machine) any { return clampAny },
		compile: compileClamp,
	},
	{
		doc: Function{
			Name: "domainOf", Signature: `domainOf(host string) string`,
			Doc:     "The registrable domain of a host name or an e-mail address, lower case; the name itself where the public suffix list knows none.",
			Example: `domainOf("ana@mail.example.co.uk")`, Result: "example.co.uk",
		},
		bind: func(*Machine) any { return domainOf },
		compile: func(_ *compiler, a []code) code {
			s := a[0].s
			return stringCode(func(f *frame) string { return domainOf(s(f)) })
		},
	},
	{
		doc:  Function{Name: "rawKnown", Signature: `rawKnown(name string) bool`, Over: "event", Doc: "The record has that field of the source's own, even if empty. The name is a constant."},
		raw:  true,
		bind: bindRawKnown, constant: first, compile: compileRawKnown,
	},
	{
		doc: Function{Name: "raws", Signature: `raws() []string`, Over: "event", Doc: "The values of all of the source's own fields, to search for a word."},
		raw: true, bind: bindRaws, compile: compileRaws,
	},
	caselessTest("iequals", "values", "The text, or one of the list, is one of the constants, whatever the case.", `iequals("CMD.exe", "cmd.exe", "powershell.exe")`, nil),
	caselessTest("icontains", "parts", "The text, or one of the list, holds one of the constants, whatever the case.", `icontains(["Ä", "net user"], "USER")`, nil),
	caselessTest("istarts", "prefixes", "The text, or one of the list, begins with one of the constants, whatever the case.", `istarts("C:/Windows/x", "c:/windows/")`, nil),
	caselessTest("iends", "suffixes", "The text, or one of the list, ends with one of the constants, whatever the case.", `iends("C:/x/CMD.EXE", "/cmd.exe")`, nil),
	caselessTest(
		"ilike", "patterns",
		"The whole text, or that of one of the list, is as one of the constant patterns says, whatever the case: `*` stands for any characters or none, `?` for one, "+
			"and a backslash takes a `*`, `?` or backslash behind it as it is. Time is in proportion to the text.",
		`ilike("C:/x/cmd.exe", "*/c?d.exe")`, nil,
	),
	caselessTest("imatches", "expressions", "A part of the text, or of one of the list, satisfies one of the constant regular expressions (RE2); `(?i)` ignores case.", `imatches("net1 user", "(?i)^NET1? ")`, checkRegexp),
}

// caselessTest is the entry of one of textTests.
func caselessTest(name, argument, doc, example string, check func(string) string) function {
	return function{
		doc: Function{
			Name: name, Signature: name + "(s string or []string, " + argument + " ...string) bool", Doc: doc,
			Example: example, Result: "true",
		},
		constant: afterFirst, check: check, arity: 2, first: textOrList,
		bind: bindTextTest(name), compile: compileTextTest(name),
	}
}

// functionNamed finds one of our own functions; nil if there is none.
func functionNamed(name string) *function {
	for i := range ownFunctions {
		if ownFunctions[i].doc.Name == name {
			return &ownFunctions[i]
		}
	}
	return nil
}

// functionTypes is what the checker knows before any field is named.
func functionTypes() types.Map {
	env := types.Map{}
	for i := range ownFunctions {
		env[ownFunctions[i].doc.Name] = types.TypeOf(ownFunctions[i].bind(nil))
	}
	for _, f := range assetFields {
		env["asset."+f.name] = types.TypeOf(assetFunction(nil, f.name, f.kind))
	}
	return env
}

// assetFunction is asset(id).field for expr's machine.
func assetFunction(m *Machine, field string, kind event.Kind) any {
	switch kind {
	case event.KindInt:
		return func(id string) int { return int(m.frame.look.AssetField(id, field).Num) }
	case event.KindFloat:
		return func(id string) float64 { return m.frame.look.AssetField(id, field).Flt }
	case event.KindBool:
		return func(id string) bool { return m.frame.look.AssetField(id, field).Num != 0 }
	default:
		return func(id string) string { return m.frame.look.AssetField(id, field).Str }
	}
}

// assetCode is asset(id).field as a closure.
func assetCode(id code, field string, kind event.Kind) code {
	s := id.s
	switch kind {
	case event.KindInt:
		return intCode(func(f *frame) int64 { return f.look.AssetField(s(f), field).Num })
	case event.KindFloat:
		return floatCode(func(f *frame) float64 { return f.look.AssetField(s(f), field).Flt })
	case event.KindBool:
		return boolCode(func(f *frame) bool { return f.look.AssetField(s(f), field).Num != 0 })
	default:
		return stringCode(func(f *frame) string { return f.look.AssetField(s(f), field).Str })
	}
}

func parseNetwork(s string) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(a, a.BitLen())
	}
	return p.Masked(), true
}

func checkNetwork(s string) string {
	if _, ok := parseNetwork(s); !ok {
		return s + " is not a network"
	}
	return ""
}

func parseAddress(s string) (netip.Addr, bool) {
	if s == "" {
		return netip.Addr{}, false
	}
	if a, ok := event.IPv4(s); ok {
		return netip.AddrFrom4(a), true
	}
	a, err := netip.ParseAddr(s)
	return a.Unmap().WithZone(""), err == nil
}

func cidr(ip string, networks ...string) bool {
	a, ok := parseAddress(ip)
	if !ok {
		return false
	}
	for _, n := range networks {
		if p, ok := parseNetwork(n); ok && p.Contains(a) {
			return true
		}
	}
	return false
}

func compileCIDR(_ *compiler, args []code) code {
	ip := args[0].s
	var networks []netip.Prefix
	for _, a := range args[1:] {
		if p, ok := parseNetwork(a.val.Str); ok {
			networks = append(networks, p)
		}
	}
	return boolCode(func(f *frame) bool {
		a, ok := parseAddress(ip(f))
		if !ok {
			return false
		}
		for _, p := range networks {
			if p.Contains(a) {
				return true
			}
		}
		return false
	})
}

func private(ip string) bool {
	a, ok := parseAddress(ip)
	return ok && (a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast())
}

func hour(ms int64) int { return time.UnixMilli(ms).UTC().Hour() }

func weekday(ms int64) int { return (int(time.UnixMilli(ms).UTC().Weekday())+6)%7 + 1 }

func domainOf(s string) string {
	s = strings.ToLower(strings.TrimSuffix(s[strings.LastIndexByte(s, '@')+1:], "."))
	if strings.IndexByte(s, '.') < 0 { // Nothing, or a name without a domain: the library would write an error that nobody reads.
		return s
	}
	if d, err := publicsuffix.EffectiveTLDPlusOne(s); err == nil {
		return d
	}
	return s
}

// clampAny is clamp for expr's machine. The checker sees its arguments as anything; compileClamp refuses what is not a number.
func clampAny(n, low, high any) int {
	return int(clamp(integerOf(n), integerOf(low), integerOf(high)))
}

func clamp(n, low, high int64) int64 { return max(low, min(n, high)) }

func compileClamp(c *compiler, args []code) code {
	for _, a := range args {
		if !a.isNumber() {
			c.refuse("clamp takes numbers")
			return constantCode(event.FieldValue{Kind: event.KindInt})
		}
	}
	n, low, high := args[0], args[1], args[2]
	return intCode(func(f *frame) int64 { return clamp(n.integer(f), low.integer(f), high.integer(f)) })
}

// Functions lists every function of the language, ours and those of expr that are allowed, for the reference.
func Functions() []Function {
	out := make([]Function, 0, len(ownFunctions)+len(otherFunctions))
	for i := range ownFunctions {
		out = append(out, ownFunctions[i].doc)
	}
	return append(out, otherFunctions...)
}
