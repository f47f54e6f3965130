package ocsf_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event/ocsf"
)

func TestClassesAreFoundByNumberAndName(t *testing.T) {
	all := ocsf.Classes()
	if !slices.IsSortedFunc(all, func(a, b ocsf.Class) int { return int(a.UID) - int(b.UID) }) {
		t.Error("classes are not sorted by number")
	}
	for i := range all {
		byUID, ok := ocsf.ClassByUID(all[i].UID)
		if !ok || byUID.Name != all[i].Name {
			t.Errorf("class %d: found %v", all[i].UID, byUID)
		}
		byName, ok := ocsf.ClassByName(all[i].Name)
		if !ok || byName.UID != all[i].UID {
			t.Errorf("class %s: found %v", all[i].Name, byName)
		}
	}
	if _, ok := ocsf.ClassByName("Authentication"); ok {
		t.Error("a caption was taken for a name")
	}
	if _, ok := ocsf.ClassByUID(4711); ok {
		t.Error("class 4711 was found")
	}
}

func TestEveryClassHasUnknownAndOtherAndUniqueActivityKeys(t *testing.T) {
	for _, c := range ocsf.Classes() {
		keys := map[string]bool{}
		for _, a := range c.Activities {
			if keys[a.Key] {
				t.Errorf("%s: key %q twice", c.Name, a.Key)
			}
			keys[a.Key] = true
			if got, ok := c.ActivityByKey(a.Key); !ok || got != a {
				t.Errorf("%s.%s: got %v", c.Name, a.Key, got)
			}
			if got, ok := c.Activity(a.ID); !ok || got != a {
				t.Errorf("%s %d: got %v", c.Name, a.ID, got)
			}
		}
		if !keys["unknown"] || !keys["other"] {
			t.Errorf("%s: activities %v", c.Name, c.Activities)
		}
	}
}

func TestExtensionClassesHaveTheirNumbers(t *testing.T) {
	for _, test := range []struct {
		name, key string
		class     uint32
		category  uint8
		typeUID   int64
	}{
		{"robot_control", "safety_reset", 99908001, 8, 9990800116},
		{"robot_state", "mode_change", 99908002, 8, 9990800201},
		{"ot_command", "download_program", 99908003, 8, 9990800306},
		{"change_ticket", "approved", 99906001, 6, 9990600102},
		{"authentication", "service_ticket_request", 3002, 3, 300204},
	} {
		c, ok := ocsf.ClassByName(test.name)
		if !ok {
			t.Errorf("%s: not found", test.name)
			continue
		}
		a, _ := c.ActivityByKey(test.key)
		if c.UID != test.class || c.CategoryUID != test.category || c.TypeUID(a.ID) != test.typeUID {
			t.Errorf("%s.%s: class %d category %d type %d", test.name, test.key, c.UID, c.CategoryUID, c.TypeUID(a.ID))
		}
	}
}

func TestAttributesAreResolvedThroughObjectsAndArrays(t *testing.T) {
	class, _ := ocsf.ClassByName("detection_finding")
	got, ok := class.Attribute("evidences.src_endpoint.ip")
	want := ocsf.Attribute{Name: "ip", Type: "ip_t", Recommended: true, Observable: 2}
	if diff := cmp.Diff(want, got); !ok || diff != "" {
		t.Errorf("evidences.src_endpoint.ip (-want +got):\n%s", diff)
	}
	got, _ = class.Attribute("action_id")
	if diff := cmp.Diff([]string{"security_control"}, got.Profiles); diff != "" {
		t.Errorf("action_id profiles (-want +got):\n%s", diff)
	}
	if got, _ = class.Attribute("evidences"); !got.Array || got.Object != "evidences" || got.Type != "object_t" {
		t.Errorf("evidences: %+v", got)
	}
	for _, path := range []string{"", ".", "evidences.", "evidences.nothing", "message.text", "nothing"} {
		if a, ok := class.Attribute(path); ok {
			t.Errorf("%q: found %+v", path, a)
		}
	}
	if !class.Allows("finding_info") || class.Allows("finding_inf") || class.Allows("robot") {
		t.Error("Allows is wrong")
	}
}

func TestEnumerationsAreReadBothWays(t *testing.T) {
	mode, ok := ocsf.ObjectAttribute("robot", "operating_mode_id")
	if !ok || mode.Sibling != "operating_mode" {
		t.Fatalf("operating_mode_id: %+v", mode)
	}
	if caption, _ := mode.Enum.Caption(5); caption != "Teach-In" {
		t.Errorf("5 is %q", caption)
	}
	if id, ok := mode.Enum.ID("semi-AUTOMATIC"); !ok || id != 2 {
		t.Errorf("semi-automatic is %d", id)
	}
	if _, ok := mode.Enum.Caption(98); ok {
		t.Error("98 has a caption")
	}
	if _, ok := mode.Enum.ID("sideways"); ok {
		t.Error("sideways has an id")
	}
	if caption, _ := mode.Enum.Caption(99); caption != "Other" {
		t.Errorf("99 is %q", caption)
	}
}

func TestRobotsAreDevices(t *testing.T) {
	robot := map[string]bool{}
	for _, a := range ocsf.ObjectAttributes("robot") {
		robot[a.Name] = true
	}
	for _, a := range ocsf.ObjectAttributes("device") {
		if !robot[a.Name] {
			t.Errorf("a robot has no %s", a.Name)
		}
	}
	if !slices.Contains(ocsf.Objects(), "robot_command") || ocsf.ObjectAttributes("robo") != nil {
		t.Error("the list of objects is wrong")
	}
}

func TestClassAttributesListEverythingTheClassAllows(t *testing.T) {
	class, _ := ocsf.ClassByName("robot_control")
	required := 0
	for _, a := range class.Attributes() {
		if !class.Allows(a.Name) {
			t.Errorf("%s is listed but not allowed", a.Name)
		}
		if a.Required && a.Profiles == nil {
			required++
		}
	}
	if required != 8 {
		t.Errorf("%d required attributes, want the 7 of every event and robot", required)
	}
}
