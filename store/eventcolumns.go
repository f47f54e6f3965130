package store

import (
	"fmt"
	"net/netip"

	"github.com/tocsin-siem/tocsin/event"
)

// Column says which column of the table of events holds which path of the event.
type Column struct {
	Name string // Column, such as src_ip.
	Path string // As rules write it, such as src_endpoint.ip.
	kind columnKind
}

type columnKind uint8

const (
	asText  columnKind = iota // String; "" is unknown.
	asLow                     // LowCardinality(String); "" is unknown.
	asUint8                   // 0 is unknown.
	asUint16
	asUint32
	asInt64 // Nullable(Int64)
	asBool  // Nullable(Bool)
	asIP    // IPv6, IPv4 mapped; :: is unknown.
)

// eventColumns are the columns filled from the event's own fields. What they do not hold is in the compact form.
var eventColumns = []Column{
	{"class_uid", "class_uid", asUint32},
	{"activity_id", "activity_id", asUint16},
	{"severity_id", "severity_id", asUint8},
	{"status_id", "status_id", asUint8},
	{"action_id", "action_id", asUint8},
	{"disposition_id", "disposition_id", asUint8},
	{"status_code", "status_code", asLow},
	{"product", "metadata.product.name", asLow},
	{"event_code", "metadata.event_code", asLow},
	{"policy", "policy.name", asLow},
	{"app_protocol", "app_protocol_name", asLow},
	{"protocol", "connection_info.protocol_name", asLow},
	{"actor_user", "actor.user.name", asText},
	{"user", "user.name", asText},
	{"is_mfa", "is_mfa", asBool},
	{"src_ip", "src_endpoint.ip", asIP},
	{"src_port", "src_endpoint.port", asUint16},
	{"src_host", "src_endpoint.hostname", asText},
	{"src_mac", "src_endpoint.mac", asText},
	{"src_zone", "src_endpoint.zone", asLow},
	{"src_country", "src_endpoint.location.country", asLow},
	{"dst_ip", "dst_endpoint.ip", asIP},
	{"dst_port", "dst_endpoint.port", asUint16},
	{"dst_host", "dst_endpoint.hostname", asText},
	{"dst_zone", "dst_endpoint.zone", asLow},
	{"device", "device.uid", asText},
	{"device_host", "device.hostname", asText},
	{"bytes_in", "traffic.bytes_in", asInt64},
	{"bytes_out", "traffic.bytes_out", asInt64},
	{"robot", "robot.uid", asText},
	{"robot_fleet", "robot.fleet", asLow},
	{"robot_mode_id", "robot.operating_mode_id", asUint8},
	{"robot_safety_id", "robot.safety_state_id", asUint8},
	{"robot_command", "robot_command.name", asLow},
	{"fault_code", "fault.fault_code", asLow},
	{"ot_function", "ot.function_name", asLow},
	{"finding", "finding_info.title", asLow},
	{"process", "process.name", asText},
	{"file_sha256", "file.sha256", asText},
	{"dns_query", "query.hostname", asText},
	{"http_host", "http_request.url.hostname", asText},
}

// Columns lists the paths that filters can search in columns of their own.
func Columns() []Column { return append([]Column(nil), eventColumns...) }

// filler fills one column from the events of a batch, in an order.
type filler interface {
	fill(events []event.Event, order []int32)
}

type (
	textFiller struct {
		*text
		get func(*event.Event) string
	}
	lowFiller struct {
		*low
		get func(*event.Event) string
	}
	numberFiller struct {
		*fixed
		get func(*event.Event) (int64, bool)
	}
	nullFiller struct {
		*nullable
		get func(*event.Event) (int64, bool)
	}
	boolFiller struct {
		*nullable
		get func(*event.Event) event.Bool
	}
	ipFiller struct {
		*fixed
		get func(*event.Event) string
	}
)

func (f textFiller) fill(events []event.Event, order []int32) {
	for _, i := range order {
		f.add(f.get(&events[i]))
	}
}

func (f lowFiller) fill(events []event.Event, order []int32) {
	for _, i := range order {
		f.add(f.get(&events[i]))
	}
}

func (f numberFiller) fill(events []event.Event, order []int32) {
	for _, i := range order {
		v, _ := f.get(&events[i])
		switch f.width {
		case 1:
			f.add8(uint8(v))
		case 2:
			f.add16(uint16(v))
		default:
			f.add32(uint32(v))
		}
	}
}

func (f nullFiller) fill(events []event.Event, order []int32) {
	for _, i := range order {
		v, known := f.get(&events[i])
		f.mark(known)
		f.add64(uint64(v))
	}
}

func (f boolFiller) fill(events []event.Event, order []int32) {
	for _, i := range order {
		v := f.get(&events[i])
		f.mark(v.Known())
		f.addBool(v == event.True)
	}
}

func (f ipFiller) fill(events []event.Event, order []int32) {
	var last string
	var wire [16]byte
	for _, i := range order {
		if s := f.get(&events[i]); s != last {
			last, wire = s, wireAddress(s)
		}
		f.addBytes(&wire)
	}
}

// wireAddress is an address as the columns of addresses have it; zeros for what is none.
func wireAddress(s string) (wire [16]byte) {
	if a, ok := event.IPv4(s); ok {
		return netip.AddrFrom4(a).As16()
	}
	if a, err := netip.ParseAddr(s); err == nil {
		return a.As16()
	}
	return wire
}

// fillerFor adds the column to the block.
func (c Column) fillerFor(b *block) (filler, error) {
	f := event.FieldByPath(c.Path)
	if f == nil {
		return nil, fmt.Errorf("column %s: the event has no field %s", c.Name, c.Path)
	}
	var fill filler
	ok := false
	switch c.kind {
	case asText:
		fill, ok = textFiller{add(b, c.Name, &text{}), f.Str}, f.Str != nil
	case asLow:
		fill, ok = lowFiller{add(b, c.Name, newLow()), f.Str}, f.Str != nil
	case asUint8:
		fill, ok = numberFiller{add(b, c.Name, newFixed("UInt8", 1)), f.Num}, f.Num != nil
	case asUint16:
		fill, ok = numberFiller{add(b, c.Name, newFixed("UInt16", 2)), f.Num}, f.Num != nil
	case asUint32:
		fill, ok = numberFiller{add(b, c.Name, newFixed("UInt32", 4)), f.Num}, f.Num != nil
	case asInt64:
		fill, ok = nullFiller{add(b, c.Name, newNullable("Int64", 8)), f.Num}, f.Num != nil
	case asBool:
		fill, ok = boolFiller{add(b, c.Name, newNullable("Bool", 1)), f.Tri}, f.Tri != nil
	case asIP:
		fill, ok = ipFiller{add(b, c.Name, newFixed("IPv6", 16)), f.Str}, f.Str != nil
	}
	if !ok {
		return nil, fmt.Errorf("column %s: field %s is of another kind", c.Name, c.Path)
	}
	return fill, nil
}
