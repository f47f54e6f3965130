package rules

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// SchemaID is the $id of the JSON Schema of rule files.
const SchemaID = "https://github.com/tocsin-siem/tocsin/rules/rule.schema.json"

// Schema is the JSON Schema (draft 2020-12) of one document of a rule file, a rule or a document of exceptions, for editors. It is derived from
// Keys, so that it knows exactly the keys the compiler knows; what expressions, fields and variables may say only the compiler can tell.
func Schema() ([]byte, error) {
	defs := map[string]any{
		"duration":   map[string]any{"type": "string", "pattern": `^-?([0-9]+(ms|s|m|h|d|w))+$`, "description": "Whole numbers with ms, s, m, h, d or w, as in 1h30m."},
		"class":      map[string]any{"type": "string", "examples": event.ClassNames()},
		"expression": map[string]any{"type": []any{"string", "boolean"}},
		"words":      map[string]any{"anyOf": []any{map[string]any{"$ref": "#/$defs/scalar"}, map[string]any{"type": "array", "items": map[string]any{"$ref": "#/$defs/scalar"}}}},
		"scalar":     map[string]any{"type": []any{"string", "number", "boolean"}},
	}
	s := &schemaWriter{defs: defs}
	rule, exceptions := s.object(InRule), s.object(InExceptions)
	return json.MarshalIndent(map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SchemaID, "title": "Rule of Tocsin, or exceptions of rules",
		"if": map[string]any{"required": []any{"exceptions"}, "maxProperties": 1}, "then": exceptions, "else": rule, "$defs": defs,
	}, "", "  ")
}

type schemaWriter struct{ defs map[string]any }

// object refers to the definition of a mapping at some places, which it makes where it is missing.
func (s *schemaWriter) object(at ...Place) any {
	names := make([]string, len(at))
	for i, p := range at {
		names[i] = strings.NewReplacer(" ", "-", "(", "", ")", "").Replace(string(p))
	}
	name := strings.Join(names, "+")
	if _, made := s.defs[name]; !made {
		o := map[string]any{"type": "object", "additionalProperties": slices.Contains(at, InEvent)}
		s.defs[name] = o // Before what is below it, which may be of the same kind.
		properties, needed := map[string]any{}, []any{}
		for _, k := range KeysAt(at...) {
			properties[k.Name] = s.property(k, at)
			if k.Default == required && !optional(k, at) {
				needed = append(needed, k.Name)
			}
		}
		o["properties"] = properties
		if len(needed) > 0 {
			o["required"] = needed
		}
	}
	return map[string]any{"$ref": "#/$defs/" + name}
}

// optional keys are required only beside some others, which the compiler checks.
func optional(k Key, at []Place) bool {
	return k.Name == "within" && slices.Contains(at, InMatch)
}

func (s *schemaWriter) property(k Key, at []Place) any {
	p := map[string]any{"description": k.Doc}
	if k.Default != "" && k.Default != required {
		p["description"] = k.Doc + " Default: " + k.Default + "."
	}
	if below, list := Below(k.Name, at...); len(below) > 0 {
		of := s.object(below...)
		if list {
			p["type"], p["items"] = "array", of
		} else {
			p["allOf"] = []any{of}
		}
		return p
	}
	for name, value := range schemaType(k.Type) {
		p[name] = value
	}
	return p
}

// schemaTypes are the schemas of the types that the reference names.
var schemaTypes = map[string]map[string]any{
	"string":                   {"$ref": "#/$defs/scalar"},
	"field":                    {"type": "string"},
	"step":                     {"type": "string"},
	"rule id":                  {"type": "string"},
	"canonical id":             {"type": "string"},
	"address":                  {"type": "string"},
	"hardware address":         {"type": "string"},
	"integer":                  {"type": "integer"},
	"number":                   {"type": "number"},
	"boolean":                  {"type": "boolean"},
	typeDuration:               {"$ref": "#/$defs/duration"},
	typeExpression:             {"$ref": "#/$defs/expression"},
	"RFC 3339 time":            {"type": "string", "format": "date-time"},
	"RFC 3339 date or time":    {"type": "string"},
	"match, step:<id>":         {"type": "string", "pattern": "^(match|step:.+)$"},
	"sigma":                    {"const": "sigma"},
	"class":                    {"$ref": "#/$defs/class"},
	"class or list":            {"anyOf": []any{map[string]any{"$ref": "#/$defs/class"}, map[string]any{"type": "array", "items": map[string]any{"$ref": "#/$defs/class"}}}},
	"list of strings":          {"$ref": "#/$defs/words"},
	"list of variables":        {"$ref": "#/$defs/words"},
	"list of variable: source": {"type": "array", "items": map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}}},
	"variable: source":         {"type": "object", "additionalProperties": map[string]any{"type": "string"}},
	"variable: value":          {"type": "object", "additionalProperties": map[string]any{"$ref": "#/$defs/scalar"}},
	"map of strings":           {"type": "object", "additionalProperties": map[string]any{"$ref": "#/$defs/scalar"}},
	"name: field, max":         {"type": "object", "additionalProperties": map[string]any{"$ref": "#/$defs/scalar"}},
	"name: values":             {"type": "object", "additionalProperties": map[string]any{"$ref": "#/$defs/words"}},
	"id: attributes":           {"type": "object", "additionalProperties": map[string]any{"type": "object"}},
	"step: {entity: values}":   {"type": "object", "additionalProperties": map[string]any{"type": "object", "additionalProperties": map[string]any{"$ref": "#/$defs/words"}}},
	"step: {entity: number}":   {"type": "object", "additionalProperties": map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "number"}}},
	"true or [step, step]":     {"anyOf": []any{map[string]any{"const": true}, map[string]any{"type": "array", "items": map[string]any{"type": "string"}, "minItems": 2, "maxItems": 2}}},
}

// schemaType is the schema of a type; one that is a list of words is an enumeration of them. Nil: nobody has said what the type is.
func schemaType(name string) map[string]any {
	if s, ok := schemaTypes[name]; ok {
		return s
	}
	words := strings.Split(name, ", ")
	if len(words) < 2 {
		return nil
	}
	enum := make([]any, len(words))
	for i, w := range words {
		enum[i] = w
	}
	return map[string]any{"enum": enum}
}

// untyped lists the types of keys that the schema has no form for.
func untyped() (names []string) {
	for _, k := range keys {
		for _, p := range k.Places {
			if below, _ := Below(k.Name, p); len(below) == 0 && schemaType(k.Type) == nil && !slices.Contains(names, k.Type) {
				names = append(names, k.Type)
			}
		}
	}
	return names
}
