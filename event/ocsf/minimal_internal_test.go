package ocsf

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// minimal builds the smallest value of a structure: required members and the
// first choice of each constraint.
func minimal(s *structure) map[string]any {
	out := map[string]any{}
	positions := slices.Clone(s.required)
	for _, choice := range [][]uint8{s.atLeastOne, s.justOne} {
		if len(choice) > 0 && !containsAny(positions, choice) {
			positions = append(positions, plainest(s, choice))
		}
	}
	for _, p := range positions {
		a := s.at(int(p))
		if a.profiles != 0 {
			continue
		}
		var v any = minimalScalar(a)
		if a.kind == kindObject {
			v = minimal(&structures[a.object])
			if m := v.(map[string]any); len(m) == 0 {
				v = filler(&structures[a.object])
			}
		}
		if a.flags&flagArray != 0 {
			v = []any{v}
		}
		out[a.name] = v
	}
	return out
}

// filler is for an object that requires nothing and yet may not be empty.
func filler(s *structure) map[string]any {
	for i := range s.attributes {
		if a := s.at(i); a.kind != kindObject && a.profiles == 0 && a.deprecated == "" && a.flags&flagArray == 0 {
			return map[string]any{a.name: minimalScalar(a)}
		}
	}
	return map[string]any{"anything": 1}
}

func containsAny(list, wanted []uint8) bool {
	return slices.ContainsFunc(wanted, func(p uint8) bool { return slices.Contains(list, p) })
}

func plainest(s *structure, choice []uint8) uint8 {
	for _, p := range choice {
		if a := s.at(int(p)); a.kind != kindObject && a.profiles == 0 {
			return p
		}
	}
	for _, p := range choice {
		if s.at(int(p)).profiles == 0 {
			return p
		}
	}
	return choice[0]
}

func minimalScalar(a *attribute) any {
	switch a.kind {
	case kindBoolean:
		return false
	case kindInteger, kindLong, kindTimestamp, kindPort:
		if a.enum != 0 {
			return enums[a.enum][0].ID
		}
		return 0
	case kindFloat:
		return 0.5
	case kindIP:
		return "192.0.2.1"
	case kindMAC:
		return "02:00:00:00:00:01"
	case kindEmail:
		return "a@b.example"
	case kindDatetime:
		return "2026-11-21T00:00:00Z"
	case kindUUID:
		return "00000000-0000-0000-0000-000000000000"
	case kindBytestring:
		return "AAAA"
	}
	if a.enum != 0 && a.kind == kindString {
		return stringEnums[a.enum][0]
	}
	return "x"
}

func minimalEvent(c *Class) map[string]any {
	e := minimal(&structures[c.structure])
	e["activity_id"] = int(c.Activities[0].ID)
	e["type_uid"] = c.TypeUID(c.Activities[0].ID)
	metadata := map[string]any{"version": Version, "product": map[string]any{"name": "x"}}
	if c.Extension == ExtensionName {
		metadata["extensions"] = []any{map[string]any{"name": ExtensionName, "uid": ExtensionUID, "version": ExtensionVersion}}
	}
	e["metadata"] = metadata
	return e
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	doc, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestEveryClassAcceptsItsSmallestEventAndRefusesOneWithLess(t *testing.T) {
	var v Validator
	for i := range classes {
		c := &classes[i]
		event := minimalEvent(c)
		if problems := v.Validate(marshal(t, event)); HasErrors(problems) {
			t.Errorf("%s: %s: %v", c.Name, marshal(t, event), problems)
			continue
		}
		s := &structures[c.structure]
		for _, p := range s.required {
			a := s.at(int(p))
			if a.profiles != 0 || a.name == "class_uid" {
				continue
			}
			kept := event[a.name]
			delete(event, a.name)
			if !reported(v.Validate(marshal(t, event)), a.name, CodeRequiredMissing) {
				t.Errorf("%s: the missing %s was not reported", c.Name, a.name)
			}
			event[a.name] = kept
		}
	}
}

func TestEveryAttributeRefusesAValueOfAnotherType(t *testing.T) {
	var v Validator
	for i := range classes {
		c := &classes[i]
		event := minimalEvent(c)
		s := &structures[c.structure]
		for p := range s.attributes {
			a := s.at(p)
			if a.profiles != 0 || a.kind == kindJSON || a.name == "class_uid" {
				continue
			}
			kept, had := event[a.name]
			event[a.name] = "string"
			if a.kind >= kindString && a.flags&flagArray == 0 {
				event[a.name] = 7
			}
			if !reported(v.Validate(marshal(t, event)), a.name, CodeWrongType) {
				t.Errorf("%s.%s took %v", c.Name, a.name, event[a.name])
			}
			if delete(event, a.name); had {
				event[a.name] = kept
			}
		}
	}
}

func reported(problems []Problem, path, code string) bool {
	return slices.ContainsFunc(problems, func(p Problem) bool { return p.Path == path && p.Code == code })
}

func TestWhatTheQuickChecksAcceptThePatternsAccept(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	samples := map[kind][]string{
		kindIP:       {"192.0.2.1", "0.0.0.0", "255.255.255.255", "::", "::1", "fe80::1", "2001:db8::192.0.2.1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "01.2.3.4", "1.2.3", "1.2.3.4.5"},
		kindMAC:      {"02:42:ac:11:00:07", "02-42-AC-11-00-07", "0242.ac11.0007"},
		kindEmail:    {"a@b.c", "m.keller+x@works-1.example", "a@b", "@b.c", "a@@b.c", "a@.c"},
		kindUUID:     {"123e4567-e89b-12d3-a456-426614174000"},
		kindDatetime: {"2026-11-21T05:42:50Z", "2026-11-21T05:42:50.123456Z", "2026-11-21t05:42:50+01:00", "2026-11-21T05:42:50.Z"},
	}
	const alphabet = "0123456789abcdefABCDEFgGTZ:.-@+%_ "
	compiled := map[kind]*regexp.Regexp{}
	for k := range samples {
		compiled[k] = regexp.MustCompile(patterns[k])
	}
	accepted := 0
	for k, list := range samples {
		for range 3000 {
			text := []byte(list[random.IntN(len(list))])
			for range random.IntN(3) {
				text[random.IntN(len(text))] = alphabet[random.IntN(len(alphabet))]
			}
			if !quick(k, text) {
				continue
			}
			accepted++
			if !compiled[k].Match(text) {
				t.Errorf("%s: quick accepts %q, the pattern does not", kindNames[k], text)
			}
		}
	}
	if accepted < 1000 {
		t.Errorf("only %d samples were accepted: the test shows little", accepted)
	}
}

func TestASkippedValueEndsWhereTheDecoderSaysItEnds(t *testing.T) {
	for _, value := range []string{`0`, `-1.5e+7`, `true`, `null`, `""`, `"a\"b\\"`, `"\\"`, `[]`, `{}`, `[1,[2,{"]":"}"}]]`, `{"a":{"b":["\"]}"]},"c":null}`} {
		for _, tail := range []string{"", " ", "\n"} {
			c := cursor{doc: []byte(value + tail + strings.Repeat(" ", 3))}
			if got := c.skip(); got.end != len(value) {
				t.Errorf("%s: ended at %d", value, got.end)
			}
		}
	}
}
