package main

import (
	"bytes"
	"cmp"
	"fmt"
	"go/format"
	"slices"
	"strconv"
	"strings"
)

var kinds = map[string]string{
	"object_t": "kindObject", "boolean_t": "kindBoolean", "integer_t": "kindInteger", "long_t": "kindLong",
	"float_t": "kindFloat", "json_t": "kindJSON", "timestamp_t": "kindTimestamp", "port_t": "kindPort",
	"string_t": "kindString", "bytestring_t": "kindBytestring", "datetime_t": "kindDatetime", "email_t": "kindEmail",
	"file_hash_t": "kindFileHash", "file_name_t": "kindFileName", "file_path_t": "kindFilePath", "hostname_t": "kindHostname",
	"ip_t": "kindIP", "mac_t": "kindMAC", "process_name_t": "kindProcessName", "reg_key_path_t": "kindRegKeyPath",
	"resource_uid_t": "kindResourceUID", "subnet_t": "kindSubnet", "url_t": "kindURL", "username_t": "kindUsername",
	"uuid_t": "kindUUID",
}

// pool keeps the first of equal rows and remembers its number.
type pool struct {
	rows  []string
	index map[string]int
}

func (p *pool) add(row string) int {
	if i, ok := p.index[row]; ok {
		return i
	}
	if p.index == nil {
		p.index = map[string]int{}
	}
	i := len(p.rows)
	p.rows = append(p.rows, row)
	p.index[row] = i
	return i
}

type emitter struct {
	schema      *schema
	profiles    []string
	classes     []string // keys by UID
	objects     []string // keys by name
	position    map[string]int
	attributes  pool
	enums       pool
	stringEnums pool
	structures  []string
}

func emit(s *schema, info extensionInfo) ([]byte, error) {
	e := &emitter{schema: s, profiles: sortedKeys(s.Profiles), classes: sortedKeys(s.Classes), objects: sortedKeys(s.Objects), position: map[string]int{}}
	slices.SortFunc(e.classes, func(a, b string) int { return cmp.Compare(s.Classes[a].UID, s.Classes[b].UID) })
	if len(e.profiles) > 16 || len(e.classes) > 256 {
		return nil, fmt.Errorf("%d profiles and %d classes do not fit the tables (16, 256)", len(e.profiles), len(e.classes))
	}
	for i, name := range e.objects {
		e.position[name] = len(e.classes) + i
	}
	e.enums.add("nil")
	e.stringEnums.add("nil")
	for _, name := range e.classes {
		if err := e.structure(s.Classes[name], name); err != nil {
			return nil, fmt.Errorf("class %s: %w", name, err)
		}
	}
	for _, name := range e.objects {
		if err := e.structure(s.Objects[name], name); err != nil {
			return nil, fmt.Errorf("object %s: %w", name, err)
		}
	}
	return e.write(info)
}

func (e *emitter) structure(it *item, key string) error {
	names := sortedKeys(it.Attributes)
	if len(names) > 128 {
		return fmt.Errorf("%d attributes do not fit the validator's set (128)", len(names))
	}
	siblings := map[string]bool{}
	for _, a := range it.Attributes {
		siblings[a.Sibling] = true
	}
	var rows, required []int
	for i, name := range names {
		a := it.Attributes[name]
		row, err := e.attribute(name, a, siblings[name])
		if err != nil {
			return fmt.Errorf("attribute %s: %w", name, err)
		}
		rows = append(rows, row)
		if a.Requirement == "required" {
			required = append(required, i)
		}
	}
	var constraints strings.Builder
	for _, c := range []struct{ key, field string }{{"at_least_one", "atLeastOne"}, {"just_one", "justOne"}} {
		positions := constraintPositions(it.Constraints[c.key], names)
		if positions != nil {
			fmt.Fprintf(&constraints, ", %s: []uint8{%s}", c.field, numbers(positions))
		}
	}
	text := fmt.Sprintf("{name: %q, attributes: []uint16{%s}", key, numbers(rows))
	if required != nil {
		text += fmt.Sprintf(", required: []uint8{%s}", numbers(required))
	}
	text += constraints.String()
	if d := it.Deprecated.text(); d != "" {
		text += fmt.Sprintf(", deprecated: %q", plain(d))
	}
	e.structures = append(e.structures, text+"}")
	return nil
}

// constraintPositions returns nil for a constraint on nested attributes
// (patch_state alone has one): no validator evaluates those.
func constraintPositions(wanted, names []string) []int {
	var positions []int
	for _, w := range wanted {
		i, ok := slices.BinarySearch(names, w)
		if !ok {
			return nil
		}
		positions = append(positions, i)
	}
	slices.Sort(positions)
	return positions
}

func (e *emitter) attribute(name string, a *attribute, isSibling bool) (int, error) {
	kind, ok := kinds[a.Type]
	if !ok {
		return 0, fmt.Errorf("unknown type %q", a.Type)
	}
	var row strings.Builder
	fmt.Fprintf(&row, "{name: %q", name)
	if a.Sibling != "" {
		fmt.Fprintf(&row, ", sibling: %q", a.Sibling)
	}
	if d := a.Deprecated.text(); d != "" {
		fmt.Fprintf(&row, ", deprecated: %q", plain(d))
	}
	mask := 0
	for _, p := range a.Profiles {
		i, ok := slices.BinarySearch(e.profiles, p)
		if !ok {
			return 0, fmt.Errorf("unknown profile %q", p)
		}
		mask |= 1 << i
	}
	if mask != 0 {
		fmt.Fprintf(&row, ", profiles: %#x", mask)
	}
	if kind == "kindObject" {
		i, ok := e.position[a.ObjectType]
		if !ok {
			return 0, fmt.Errorf("unknown object %q", a.ObjectType)
		}
		fmt.Fprintf(&row, ", object: %d", i)
	}
	enum, err := e.enum(name, a)
	if err != nil {
		return 0, err
	}
	if enum != 0 {
		fmt.Fprintf(&row, ", enum: %d", enum)
	}
	fmt.Fprintf(&row, ", kind: %s", kind)
	if f := flags(a, isSibling); f != "" {
		fmt.Fprintf(&row, ", flags: %s", f)
	}
	if o := e.schema.observable(name, a); o != 0 {
		fmt.Fprintf(&row, ", observable: %d", o)
	}
	return e.attributes.add(row.String() + "}"), nil
}

func flags(a *attribute, isSibling bool) string {
	var set []string
	switch a.Requirement {
	case "required":
		set = append(set, "flagRequired")
	case "recommended":
		set = append(set, "flagRecommended")
	}
	if a.IsArray {
		set = append(set, "flagArray")
	}
	if isSibling {
		set = append(set, "flagSibling")
	}
	return strings.Join(set, " | ")
}

// enum leaves type_uid out: its values follow from class_uid and activity_id,
// which typeCaptions checks.
func (e *emitter) enum(name string, a *attribute) (int, error) {
	if len(a.Enum) == 0 || name == "type_uid" {
		return 0, nil
	}
	keys := sortedKeys(a.Enum)
	if a.Type == "string_t" {
		quoted := make([]string, len(keys))
		for i, k := range keys {
			quoted[i] = strconv.Quote(k)
		}
		return e.stringEnums.add("{" + strings.Join(quoted, ", ") + "}"), nil
	}
	type pair struct {
		id    int64
		value enumValue
	}
	var pairs []pair
	for _, k := range keys {
		id, err := strconv.ParseInt(k, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("enum value %q is not a number", k)
		}
		pairs = append(pairs, pair{id, a.Enum[k]})
	}
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.id, b.id) })
	var row strings.Builder
	row.WriteString("{")
	for i, p := range pairs {
		if i > 0 {
			row.WriteString(", ")
		}
		fmt.Fprintf(&row, "{%d, %q, %q}", p.id, p.value.Caption, plain(p.value.Deprecated.text()))
	}
	return e.enums.add(row.String() + "}"), nil
}

// typeCaptions checks that the values of type_uid are what the tables derive:
// class_uid*100+activity_id, captioned "Class: Activity".
func typeCaptions(c *item) error {
	types, activities := c.Attributes["type_uid"].Enum, c.Attributes["activity_id"].Enum
	if len(types) != len(activities) {
		return fmt.Errorf("class %s: %d type_uid values for %d activities", c.Name, len(types), len(activities))
	}
	for id, activity := range activities {
		n, err := strconv.Atoi(id)
		if err != nil {
			return fmt.Errorf("class %s: activity_id %q is not a number", c.Name, id)
		}
		got, want := types[strconv.Itoa(c.UID*100+n)].Caption, c.Caption+": "+activity.Caption
		if got != want {
			return fmt.Errorf("class %s: type_uid caption %q, want %q", c.Name, got, want)
		}
	}
	return nil
}

func (e *emitter) write(info extensionInfo) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("// Code generated by internal/gen. DO NOT EDIT.\n\npackage ocsf\n\n")
	fmt.Fprintf(&b, "// The extension the tables include, as metadata.extensions names it.\nconst (\nExtensionName = %q\nExtensionUID = %q\nExtensionVersion = %q\n)\n\n", info.Name, strconv.Itoa(info.UID), info.Version)
	fmt.Fprintf(&b, "var profiles = [...]string{%s}\n\n", quotedList(e.profiles))
	fmt.Fprintf(&b, "var classes = [...]Class{\n")
	for i, name := range e.classes {
		if err := e.class(&b, i, name); err != nil {
			return nil, err
		}
	}
	b.WriteString("}\n\n")
	byName := make([]int, len(e.classes))
	for i := range byName {
		byName[i] = i
	}
	slices.SortFunc(byName, func(a, b int) int { return strings.Compare(e.classes[a], e.classes[b]) })
	fmt.Fprintf(&b, "var classesByName = [...]uint8{%s}\n\n", numbers(byName))
	objects := make([]int, len(e.objects))
	for i := range objects {
		objects[i] = e.position[e.objects[i]]
	}
	fmt.Fprintf(&b, "var objectsByName = [...]uint16{%s}\n\n", numbers(objects))
	fmt.Fprintf(&b, "// The classes, in the order of classes, then the objects.\nvar structures = [...]structure{\n%s,\n}\n\n", strings.Join(e.structures, ",\n"))
	fmt.Fprintf(&b, "var attributes = [...]attribute{\n%s,\n}\n\n", strings.Join(e.attributes.rows, ",\n"))
	fmt.Fprintf(&b, "var enums = [...]Enum{\n%s,\n}\n\n", strings.Join(e.enums.rows, ",\n"))
	fmt.Fprintf(&b, "var stringEnums = [...][]string{\n%s,\n}\n", strings.Join(e.stringEnums.rows, ",\n"))
	b.WriteString("\n// The dictionary's patterns, for kinds that have one.\nvar patterns = [...]string{\n")
	types := e.schema.Dictionary.Types.Attributes
	for _, name := range sortedKeys(types) {
		if regex := types[name].Regex; regex != "" {
			fmt.Fprintf(&b, "%s: %q,\n", kinds[name], regex)
		}
	}
	b.WriteString("}\n")
	return format.Source(b.Bytes())
}

func (e *emitter) class(b *bytes.Buffer, structure int, name string) error {
	c := e.schema.Classes[name]
	if err := typeCaptions(c); err != nil {
		return err
	}
	category := c.CategoryName
	if category == "" {
		category = c.Attributes["category_uid"].Enum[strconv.Itoa(c.CategoryUID)].Caption
	}
	fmt.Fprintf(b, "{UID: %d, Name: %q, Caption: %q, CategoryUID: %d, CategoryName: %q", c.UID, name, c.Caption, c.CategoryUID, category)
	if c.Extension != "" {
		fmt.Fprintf(b, ", Extension: %q", c.Extension)
	}
	fmt.Fprintf(b, ", structure: %d, Activities: []Activity{\n", structure)
	activities := c.Attributes["activity_id"].Enum
	ids := sortedKeys(activities)
	slices.SortFunc(ids, func(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b)) })
	for _, id := range ids {
		caption := activities[id].Caption
		fmt.Fprintf(b, "{%s, %q, %q},\n", id, caption, snake(caption))
	}
	b.WriteString("}},\n")
	return nil
}

// snake makes the activity key of a caption: "MFA Factor Enable" becomes
// "mfa_factor_enable", "Connect (TLS)" "connect_tls".
func snake(caption string) string {
	words := strings.FieldsFunc(strings.ToLower(caption), func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9')
	})
	return strings.Join(words, "_")
}

// plain drops the markup of the schema's messages.
func plain(text string) string {
	return strings.NewReplacer("<code>", "", "</code>", "").Replace(text)
}

func numbers(list []int) string {
	text := make([]string, len(list))
	for i, n := range list {
		text[i] = strconv.Itoa(n)
	}
	return strings.Join(text, ", ")
}

func quotedList(list []string) string {
	text := make([]string, len(list))
	for i, s := range list {
		text[i] = strconv.Quote(s)
	}
	return strings.Join(text, ", ")
}
