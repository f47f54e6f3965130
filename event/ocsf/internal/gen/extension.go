package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
)

// extension is an OCSF extension in source layout (ocsf-schema,
// extensions/README.md): extension.json, dictionary.json, objects/, events/.
type extension struct {
	info       extensionInfo
	attributes map[string]*attribute
	objects    []*sourceItem
	events     []*sourceItem
}

type extensionInfo struct {
	Caption string
	Name    string
	UID     int `json:"uid"`
	Version string
}

// sourceItem is a class or object as written, before inheritance.
type sourceItem struct {
	path        string
	Name        string
	Caption     string
	UID         int `json:"uid"`
	Category    string
	Extends     string
	Constraints map[string][]string
	Attributes  map[string]sourceAttribute
}

// sourceAttribute refines an inherited or dictionary attribute. A profile of
// null takes the attribute out of the profile that brought it.
type sourceAttribute struct {
	Requirement string
	Profile     json.RawMessage
	Enum        map[string]enumValue
}

func readExtension(dir string) (*extension, error) {
	ext := &extension{}
	if err := readJSON(filepath.Join(dir, "extension.json"), &ext.info); err != nil {
		return nil, err
	}
	var dictionary struct{ Attributes map[string]*attribute }
	if err := readJSON(filepath.Join(dir, "dictionary.json"), &dictionary); err != nil {
		return nil, err
	}
	ext.attributes = dictionary.Attributes
	var err error
	if ext.objects, err = readItems(filepath.Join(dir, "objects", "*.json")); err != nil {
		return nil, err
	}
	ext.events, err = readItems(filepath.Join(dir, "events", "*", "*.json"))
	return ext, err
}

func readItems(pattern string) ([]*sourceItem, error) {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	var items []*sourceItem
	for _, path := range paths {
		item := &sourceItem{path: path}
		if err := readJSON(path, item); err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

func (s *schema) merge(ext *extension) error {
	for _, name := range sortedKeys(ext.attributes) {
		if s.Dictionary.Attributes[name] != nil {
			return fmt.Errorf("dictionary.json: attribute %q is already defined by OCSF", name)
		}
		s.Dictionary.Attributes[name] = ext.attributes[name]
	}
	for _, o := range ext.objects {
		if s.Objects[o.Name] != nil {
			return fmt.Errorf("%s: object %q is already defined", o.path, o.Name)
		}
		s.Objects[o.Name] = &item{Name: o.Name}
	}
	for _, name := range sortedKeys(ext.attributes) {
		if err := s.completeType(name, ext.attributes[name]); err != nil {
			return err
		}
	}
	for _, o := range ext.objects {
		merged, err := s.inherit(o, s.Objects[o.Extends])
		if err != nil {
			return err
		}
		*s.Objects[o.Name] = *merged
	}
	for _, e := range ext.events {
		if err := s.addClass(e, ext.info); err != nil {
			return err
		}
	}
	return nil
}

// completeType turns the source form of an object reference, its bare name,
// into the compiled form.
func (s *schema) completeType(name string, a *attribute) error {
	if _, ok := s.Dictionary.Types.Attributes[a.Type]; ok {
		return nil
	}
	if s.Objects[a.Type] == nil {
		return fmt.Errorf("dictionary.json: attribute %q has unknown type %q", name, a.Type)
	}
	a.ObjectType, a.Type = a.Type, "object_t"
	return nil
}

func (s *schema) inherit(src *sourceItem, base *item) (*item, error) {
	if base == nil {
		return nil, fmt.Errorf("%s: extends unknown %q", src.path, src.Extends)
	}
	out := &item{Name: src.Name, Caption: src.Caption, Extends: src.Extends, Attributes: map[string]*attribute{}}
	for name, a := range base.Attributes {
		out.Attributes[name] = new(*a)
	}
	out.Constraints = base.Constraints
	if src.Constraints != nil {
		out.Constraints = src.Constraints
	}
	for _, name := range sortedKeys(src.Attributes) {
		if err := s.refine(out, name, src.Attributes[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", src.path, err)
		}
	}
	return out, nil
}

func (s *schema) refine(out *item, name string, src sourceAttribute) error {
	a := out.Attributes[name]
	if a == nil {
		entry := s.Dictionary.Attributes[name]
		if entry == nil {
			return fmt.Errorf("attribute %q is in no dictionary", name)
		}
		a = new(*entry)
		a.Requirement = "optional"
		out.Attributes[name] = a
	}
	if src.Requirement != "" {
		a.Requirement = src.Requirement
	}
	if string(src.Profile) == "null" {
		a.Profiles = nil
	}
	if src.Enum != nil {
		enum := map[string]enumValue{}
		maps.Copy(enum, a.Enum)
		maps.Copy(enum, src.Enum)
		a.Enum = enum
	}
	if a.Type == "timestamp_t" {
		out.Attributes[name+"_dt"] = &attribute{Type: "datetime_t", Requirement: "optional", Profiles: []string{"datetime"}}
	}
	return nil
}

// addClass also makes what the schema compiler derives: the class and type
// numbers, and the values of class_uid, category_uid and type_uid.
func (s *schema) addClass(src *sourceItem, info extensionInfo) error {
	category, ok := s.Categories.Attributes[src.Category]
	if !ok {
		return fmt.Errorf("%s: unknown category %q", src.path, src.Category)
	}
	c, err := s.inherit(src, s.Classes[src.Extends])
	if err != nil {
		return err
	}
	c.Category, c.CategoryName, c.CategoryUID = src.Category, category.Caption, category.UID
	c.Extension = info.Name
	c.UID = (info.UID*100+category.UID)*1000 + src.UID
	setEnum(c.Attributes["class_uid"], map[string]enumValue{strconv.Itoa(c.UID): {Caption: c.Caption}})
	setEnum(c.Attributes["category_uid"], map[string]enumValue{strconv.Itoa(category.UID): {Caption: category.Caption}})
	types := map[string]enumValue{}
	for id, v := range c.Attributes["activity_id"].Enum {
		n, err := strconv.Atoi(id)
		if err != nil {
			return fmt.Errorf("%s: activity_id %q is not a number", src.path, id)
		}
		types[strconv.Itoa(c.UID*100+n)] = enumValue{Caption: c.Caption + ": " + v.Caption}
	}
	setEnum(c.Attributes["type_uid"], types)
	if s.Classes[c.Name] != nil {
		return fmt.Errorf("%s: class %q is already defined", src.path, c.Name)
	}
	s.Classes[c.Name] = c
	return nil
}

func setEnum(a *attribute, enum map[string]enumValue) { a.Enum = enum }
