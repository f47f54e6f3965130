package ocsf_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event/ocsf"
)

// olderEvents lists what else is wrong with third-party events than their
// version, and why. All are of OCSF 1.0 to 1.3.
var olderEvents = map[string][]string{
	// account_type of user became account.type in 1.0.
	"test_authentication_2":            {"attribute_unknown actor.user.account_type", "attribute_unknown actor.user.account_type_id", "attribute_unknown user.account_type", "attribute_unknown user.account_type_id"},
	"test_process_activity_1":          {"attribute_unknown actor.user.account_type", "attribute_unknown actor.user.account_type_id"},
	"test_process_activity_2":          {"attribute_unknown actor.user.account_type", "attribute_unknown actor.user.account_type_id"},
	"test_windows_resource_activity_1": {"attribute_unknown actor.user.account_type", "attribute_unknown actor.user.account_type_id", "type_uid_incorrect type_uid"},
	"test_system_activity_1":           {"attribute_enum_sibling_missing activity_name", "attribute_required_missing peripheral_device", "attribute_required_missing type_uid", "attribute_unknown actor.user.account_type", "attribute_unknown actor.user.account_type_id", "attribute_unknown win_resource"},
	// Members the producer invented, profiles it does not name.
	"test_network_activity_7": {"attribute_enum_sibling_missing connection_info.boundary", "attribute_unknown accountid", "attribute_unknown asl_version", "attribute_unknown region", "attribute_wrong_type end_time_dt", "attribute_wrong_type start_time_dt", "attribute_wrong_type time_dt", "attribute_wrong_type unmapped"},
	"test_http_activity_1":    {"attribute_profile_missing cloud", "attribute_profile_missing firewall_rule", "attribute_wrong_type unmapped"},
	// Objects made of nulls, which newer versions forbid.
	"test_account_change_1": {"constraint_failed actor.idp"},
	"test_api_activity_1":   {"attribute_enum_sibling_missing status", "constraint_failed actor.idp", "constraint_failed metadata.product.feature"},
	// A generator that fills strings with random words.
	"generated_file_remediation_activity_1":    {"observable_name_invalid_reference observables[0].name", "observable_name_invalid_reference observables[1].name"},
	"generated_network_remediation_activity_1": {"observable_name_invalid_reference observables[0].name", "observable_name_invalid_reference observables[1].name"},
	"generated_process_remediation_activity_2": {"observable_name_invalid_reference observables[0].name", "observable_name_invalid_reference observables[1].name"},
	"generated_network_activity_1":             {"attribute_enum_array_sibling_incorrect http_request.url.categories[0]"},
	"generated_windows_service_1":              {"constraint_failed actor.process" + strings.Repeat(".parent_process", 6) + ".user", "observable_name_invalid_reference observables[0].name", "observable_name_invalid_reference observables[1].name"},
}

func TestThirdPartyEventsOfOlderVersionsAreJudgedRight(t *testing.T) {
	root := os.Getenv("TOCSIN_CONFORMANCE")
	if root == "" {
		root = "../../../shared/conformance"
	}
	paths, _ := filepath.Glob(filepath.Join(root, "intake", "generic", "ocsf", "*.json"))
	if len(paths) == 0 {
		t.Skipf("no samples under %s; set TOCSIN_CONFORMANCE", root)
	}
	var v ocsf.Validator
	for _, path := range paths {
		name := strings.TrimSuffix(filepath.Base(path), ".json")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var sample struct{ Input struct{ Message string } }
		if err := json.Unmarshal(text, &sample); err != nil {
			t.Fatal(err)
		}
		got := errorsOf(v.Validate([]byte(sample.Input.Message)))
		want := append(slices.Clone(olderEvents[name]), "version_incorrect metadata.version")
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func errorsOf(problems []ocsf.Problem) []string {
	var out []string
	for _, p := range problems {
		if p.Severity == ocsf.Error {
			out = append(out, p.Code+" "+p.Path)
		}
	}
	slices.Sort(out)
	return out
}
