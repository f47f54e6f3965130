package app_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

func TestApplyingTopicsRaisesSettingsAndNeverLowersThem(t *testing.T) {
	hits := app.WantedTopics(app.DefaultConfig(), app.RoleIngest)[0]
	f := func(is map[string]string, did string, want map[string]string) {
		t.Helper()
		now := kafka.Topic{Name: hits.Name, Partitions: hits.Partitions, Settings: map[string]string{}}
		for k, v := range hits.Settings {
			now.Settings[k] = v
		}
		for k, v := range is {
			now.Settings[k] = v
		}
		got, settings := app.Differs(hits, now)
		if d := cmp.Diff(want, settings); d != "" || got != did {
			t.Errorf("%v: %s, want %s: %s", is, got, did, d)
		}
	}
	f(nil, "nothing", map[string]string{})
	f(map[string]string{"retention.ms": "604800000"}, "nothing", map[string]string{}) // Lowering it would make Kafka delete records.
	f(map[string]string{"retention.ms": "-1", "max.message.bytes": "9000000", "min.insync.replicas": "3"}, "nothing", map[string]string{})
	f(map[string]string{"retention.ms": "1000"}, "altered", map[string]string{"retention.ms": hits.Settings["retention.ms"]})
	f(map[string]string{"retention.bytes": "1000000"}, "altered", map[string]string{"retention.bytes": "-1"})
	f(map[string]string{"cleanup.policy": "compact"}, "altered", map[string]string{"cleanup.policy": "delete"})
	if did, _ := app.Differs(hits, kafka.Topic{Name: hits.Name}); did != "created" {
		t.Errorf("a topic that is not there is %s", did)
	}
}

func TestOneProcessNeedsNoTopicButForDeadLetters(t *testing.T) {
	c := app.DefaultConfig()
	if list := app.WantedTopics(c, app.RoleAll); len(list) != 0 {
		t.Errorf("wants %v", list)
	}
	c.Kafka.DeadLetter = "letters"
	if list := app.WantedTopics(c, app.RoleAll); len(list) != 1 || list[0].Name != "letters" {
		t.Errorf("wants %v", list)
	}
}

func TestTheTopicsBetweenRolesAreAcceptedByTheirNames(t *testing.T) {
	c := app.DefaultConfig()
	c.Relay.Prefix = "plant"
	c.Sources = []app.SourceConfig{{Name: "doors", Topic: "doors.log"}, {Name: "plant.findings", Topic: "other"}, {Name: "fleet", Topics: "^fleet[.].*"}}
	for what, want := range map[string][3]string{
		"doors":          {"doors", "doors.log", "tocsin"},
		"fleet/fleet.a":  {"fleet/fleet.a", "fleet.a", "tocsin"},
		"plant.hits":     {"/tocsin.hits", "plant.hits", "tocsin.correlate"},
		"plant.findings": {"plant.findings", "other", "tocsin"}, // A source of that name comes first.
		"plant.bindings": {},                                    // A member that misses some learns them again.
		"fleet":          {},
		"fleet/doors":    {},
	} {
		key, topic, group, err := app.Acceptable(c, what)
		if got := [3]string{key, topic, group}; got != want || (err == nil) != (want != [3]string{}) {
			t.Errorf("%s: %v, %v, want %v", what, got, err, want)
		}
	}
	c.Sources = nil
	if key, topic, group, err := app.Acceptable(c, "plant.findings"); key != "/tocsin.findings" || topic != "plant.findings" || group != "tocsin.triage" || err != nil {
		t.Errorf("%s %s %s %v", key, topic, group, err)
	}
}
