package ocsf

import "strings"

// kind is the dictionary type of an attribute; kindNames has the spelling.
type kind uint8

const (
	kindObject kind = iota
	kindBoolean
	kindInteger
	kindLong
	kindFloat
	kindJSON
	kindTimestamp
	kindPort
	kindString
	kindBytestring
	kindDatetime
	kindEmail
	kindFileHash
	kindFileName
	kindFilePath
	kindHostname
	kindIP
	kindMAC
	kindProcessName
	kindRegKeyPath
	kindResourceUID
	kindSubnet
	kindURL
	kindUsername
	kindUUID
)

var kindNames = [...]string{
	kindObject: "object_t", kindBoolean: "boolean_t", kindInteger: "integer_t", kindLong: "long_t",
	kindFloat: "float_t", kindJSON: "json_t", kindTimestamp: "timestamp_t", kindPort: "port_t",
	kindString: "string_t", kindBytestring: "bytestring_t", kindDatetime: "datetime_t", kindEmail: "email_t",
	kindFileHash: "file_hash_t", kindFileName: "file_name_t", kindFilePath: "file_path_t", kindHostname: "hostname_t",
	kindIP: "ip_t", kindMAC: "mac_t", kindProcessName: "process_name_t", kindRegKeyPath: "reg_key_path_t",
	kindResourceUID: "resource_uid_t", kindSubnet: "subnet_t", kindURL: "url_t", kindUsername: "username_t",
	kindUUID: "uuid_t",
}

type flag uint8

const (
	flagRequired flag = 1 << iota
	flagRecommended
	flagArray
	flagSibling // another attribute of the structure names this one as its sibling
)

// attribute is one row of the pool: equal attributes of different structures
// share a row.
type attribute struct {
	name       string
	sibling    string
	deprecated string
	profiles   uint16 // bit i is profiles[i]; 0 means always present
	object     uint16 // index into structures, for kindObject
	enum       uint16 // index into enums, or into stringEnums for string kinds; 0 is none
	kind       kind
	flags      flag
	observable uint8
}

// structure is a class or an object. Attributes are sorted by name, and
// positions below are positions in that list.
type structure struct {
	name       string
	deprecated string
	attributes []uint16 // rows of the pool
	required   []uint8  // positions, including those a profile brings
	atLeastOne []uint8
	justOne    []uint8
}

func (s *structure) at(position int) *attribute { return &attributes[s.attributes[position]] }

// find is a binary search by hand: it runs for every member of every event,
// whose name is a slice of the document.
func find[T []byte | string](s *structure, name T) (int, bool) {
	low, high := 0, len(s.attributes)
	for low < high {
		middle := int(uint(low+high) >> 1)
		switch at := attributes[s.attributes[middle]].name; {
		case at == string(name):
			return middle, true
		case at < string(name):
			low = middle + 1
		default:
			high = middle
		}
	}
	return 0, false
}

func (s *structure) list() []Attribute {
	out := make([]Attribute, len(s.attributes))
	for i := range s.attributes {
		out[i] = s.at(i).public()
	}
	return out
}

func resolve(s *structure, path string) (Attribute, bool) {
	for {
		name, rest, more := strings.Cut(path, ".")
		i, ok := find(s, name)
		if !ok {
			return Attribute{}, false
		}
		a := s.at(i)
		if !more {
			return a.public(), true
		}
		if a.kind != kindObject {
			return Attribute{}, false
		}
		s, path = &structures[a.object], rest
	}
}

func (a *attribute) public() Attribute {
	out := Attribute{
		Name:        a.name,
		Type:        kindNames[a.kind],
		Array:       a.flags&flagArray != 0,
		Required:    a.flags&flagRequired != 0,
		Recommended: a.flags&flagRecommended != 0,
		Sibling:     a.sibling,
		Observable:  a.observable,
		Deprecated:  a.deprecated,
	}
	if a.kind == kindObject {
		out.Object = structures[a.object].name
	}
	if a.kind < kindString {
		out.Enum = enums[a.enum]
	}
	for i, p := range profiles {
		if a.profiles&(1<<i) != 0 {
			out.Profiles = append(out.Profiles, p)
		}
	}
	return out
}
