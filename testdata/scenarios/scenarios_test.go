package scenarios_test

import (
	"bytes"
	"testing"

	"github.com/tocsin-siem/tocsin/testdata/scenarios"
)

func TestEveryScenarioGivesTheSameBytesEachTime(t *testing.T) {
	again := scenarios.All()
	for i, s := range scenarios.All() {
		records := 0
		for j := range s.Sources {
			data := s.Sources[j].Data()
			records += bytes.Count(data, []byte{'\n'})
			if !bytes.Equal(data, again[i].Sources[j].Data()) {
				t.Errorf("%s: %s differs from run to run", s.Name, s.Sources[j].Name)
			}
			if len(data) == 0 {
				t.Errorf("%s: %s is empty", s.Name, s.Sources[j].Name)
			}
		}
		if records < s.Expect.Records {
			t.Errorf("%s has %d records, want at least %d", s.Name, records, s.Expect.Records)
		}
		t.Log(s.Name, records)
	}
}

func TestEveryTableFileCanBeRead(t *testing.T) {
	for _, s := range scenarios.All() {
		names := []string{s.Tables.Assets, s.Tables.Identities, s.Tables.Zones, s.Tables.Schedules}
		for _, list := range s.Tables.Lists {
			names = append(names, list)
		}
		for _, name := range names {
			if _, err := scenarios.ReadFile(name); err != nil {
				t.Error(err)
			}
		}
	}
}
