package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
)

// The parts of a compiled schema the tables need.
type schema struct {
	Version    string
	Categories struct{ Attributes map[string]category }
	Profiles   map[string]json.RawMessage
	Dictionary struct {
		Attributes map[string]*attribute
		Types      struct{ Attributes map[string]dataType }
	}
	Classes map[string]*item
	Objects map[string]*item
}

type category struct {
	Caption string
	UID     int `json:"uid"`
}

type dataType struct {
	Observable int
	Regex      string
}

// item is a class or an object.
type item struct {
	Name         string
	Caption      string
	UID          int `json:"uid"`
	Category     string
	CategoryName string `json:"category_name"`
	CategoryUID  int    `json:"category_uid"`
	Extends      string
	Extension    string
	Constraints  map[string][]string
	Attributes   map[string]*attribute
	Observable   int
	Deprecated   *deprecation `json:"@deprecated"`
}

type attribute struct {
	Type        string
	ObjectType  string `json:"object_type"`
	Requirement string
	Sibling     string
	IsArray     bool `json:"is_array"`
	Observable  int
	Profiles    []string
	Enum        map[string]enumValue
	Deprecated  *deprecation `json:"@deprecated"`
}

type enumValue struct {
	Caption    string
	Deprecated *deprecation `json:"@deprecated"`
}

type deprecation struct{ Message string }

func (d *deprecation) text() string {
	if d == nil {
		return ""
	}
	return d.Message
}

func readSchema(path string) (*schema, error) {
	var s schema
	if err := readJSON(path, &s); err != nil {
		return nil, err
	}
	if s.Version != "1.8.0" {
		return nil, fmt.Errorf("%s: schema version %q, want 1.8.0", path, s.Version)
	}
	return &s, nil
}

func readJSON(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// observable follows the schema's order of precedence: the attribute in its
// place, the dictionary's attribute, the type, the object.
func (s *schema) observable(name string, a *attribute) int {
	dictionary := 0
	if d := s.Dictionary.Attributes[name]; d != nil {
		dictionary = d.Observable
	}
	object := 0
	if o := s.Objects[a.ObjectType]; o != nil {
		object = o.Observable
	}
	for _, n := range []int{a.Observable, dictionary, s.Dictionary.Types.Attributes[a.Type].Observable, object} {
		if n != 0 {
			return n
		}
	}
	return 0
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
