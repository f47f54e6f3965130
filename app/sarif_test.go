package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/app"
	"github.com/tocsin-siem/tocsin/rules"
)

func TestProblemsOfRulesAreResultsOfASARIFLogAtTheirPlaces(t *testing.T) {
	problems := []rules.Problem{
		{File: "my rules/a.yaml", Line: 9, Column: 14, Code: "R021", Message: "unknown field stauts", Hint: "did you mean status?"},
		{File: "my rules/a.yaml", Line: 3, Column: 1, Code: "R050", Severity: rules.Warning, Message: "variable x is bound in one step only"},
	}
	want := []string{
		"R021 R021 error my%20rules/a.yaml:9:14 unknown field stauts (did you mean status?)",
		"R050 R050 warning my%20rules/a.yaml:3:1 variable x is bound in one step only",
	}
	for n := range 3 {
		var out bytes.Buffer
		must(t, app.WriteSARIF(&out, "1.2.3", problems[:n]))
		var log struct {
			Version string
			Runs    []struct {
				Tool struct {
					Driver struct{ Rules []struct{ ID string } }
				}
				Results []struct {
					RuleID, Level string
					RuleIndex     int
					Message       struct{ Text string }
					Locations     []struct {
						PhysicalLocation struct {
							ArtifactLocation struct{ URI string }
							Region           struct{ StartLine, StartColumn int }
						}
					}
				}
			}
		}
		must(t, json.Unmarshal(out.Bytes(), &log))
		if log.Version != "2.1.0" || len(log.Runs) != 1 || log.Runs[0].Results == nil {
			t.Fatalf("version, run or results are missing:\n%s", out.Bytes())
		}
		run := log.Runs[0]
		var got []string
		for _, r := range run.Results {
			at := r.Locations[0].PhysicalLocation
			got = append(got, fmt.Sprintf("%s %s %s %s:%d:%d %s", r.RuleID, run.Tool.Driver.Rules[r.RuleIndex].ID, r.Level, at.ArtifactLocation.URI, at.Region.StartLine, at.Region.StartColumn, r.Message.Text))
		}
		if diff := cmp.Diff(want[:n], got, cmp.Transformer("nil", func(s []string) []string { return append([]string{}, s...) })); diff != "" {
			t.Error(diff)
		}
		if len(run.Tool.Driver.Rules) != len(rules.Codes()) {
			t.Errorf("%d codes are described, want %d", len(run.Tool.Driver.Rules), len(rules.Codes()))
		}
	}
}

// TestASARIFLogHasWhatValidatorsAskFor holds what the validator of the SARIF SDK (multitool) asks for beyond the schema: a version that begins with a
// digit, or none, and locations that are references to files and not addresses of a scheme.
func TestASARIFLogHasWhatValidatorsAskFor(t *testing.T) {
	for version, want := range map[string]string{"1.2.3": "1.2.3", "v1.2.3": "1.2.3", "devel": "", "": ""} {
		var out bytes.Buffer
		must(t, app.WriteSARIF(&out, version, []rules.Problem{{File: "line:3.yaml", Line: 1, Column: 1, Code: "R001", Message: "x"}, {File: "a/b:c.yaml", Line: 1, Column: 1, Code: "R001", Message: "x"}}))
		var log struct {
			Runs []struct {
				Tool struct {
					Driver struct{ Version *string }
				}
				Results []struct {
					Locations []struct {
						PhysicalLocation struct{ ArtifactLocation struct{ URI string } }
					}
				}
			}
		}
		must(t, json.Unmarshal(out.Bytes(), &log))
		got := ""
		if v := log.Runs[0].Tool.Driver.Version; v != nil {
			got = *v
			if got == "" {
				t.Errorf("version %q: the member is there and empty", version)
			}
		}
		if got != want {
			t.Errorf("version %q is written as %q, want %q", version, got, want)
		}
		for i, want := range []string{"./line:3.yaml", "a/b:c.yaml"} {
			uri := log.Runs[0].Results[i].Locations[0].PhysicalLocation.ArtifactLocation.URI
			if u, err := url.Parse(uri); err != nil || u.Scheme != "" || uri != want {
				t.Errorf("location %q, want %q", uri, want)
			}
		}
	}
}
