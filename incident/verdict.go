package incident

import (
	"fmt"
	"strings"
)

// Verdict names of other systems: Microsoft's classifications, and words that SOAR playbooks use. The key has no case, spaces, - and _.
var verdictNames = map[string]Verdict{
	"truepositive": Intrusion, "benignpositive": AuthorisedActivity, "informationalexpectedactivity": AuthorisedActivity, "expectedactivity": AuthorisedActivity,
	"falsepositive": RuleFalsePositive, "unknown": Undetermined, "insufficientdata": Undetermined,
}

// ocsfVerdicts is the verdict by OCSF verdict_id: what verdictIDs says, read backwards, where several verdicts share an id the plainest of them.
var ocsfVerdicts = map[int]Verdict{
	0: Undetermined, 1: RuleFalsePositive, 2: Intrusion, 4: Undetermined, 5: AuthorisedActivity, 6: TestActivity, 7: Undetermined, 8: PolicyViolation, 9: Undetermined, 10: Duplicate,
}

// microsoftVerdicts is Microsoft's classification by verdict. A malfunction and misuse by one's own people are no attack from outside, but both
// were rightly reported.
var microsoftVerdicts = map[Verdict]string{
	Intrusion: "TruePositive", Misuse: "TruePositive", PolicyViolation: "TruePositive", AuthorisedActivity: "BenignPositive", Malfunction: "BenignPositive",
	TestActivity: "BenignPositive", RuleFalsePositive: "FalsePositive", Duplicate: "Undetermined", Undetermined: "Undetermined",
}

// OCSF is the verdict_id of an OCSF Incident Finding.
func (v Verdict) OCSF() int { return verdictIDs[v] }

// Microsoft is the verdict as a classification of Microsoft Sentinel; "" for none.
func (v Verdict) Microsoft() string { return microsoftVerdicts[v] }

// verdictChoices are the verdicts as an error names them.
func verdictChoices() string {
	names := make([]string, len(Verdicts()))
	for i, v := range Verdicts() {
		names[i] = string(v)
	}
	return strings.Join(names, ", ")
}

// VerdictOf reads a verdict by our name or one of another system's, without regard to case, spaces, - and _.
func VerdictOf(name string) (Verdict, error) {
	plain := strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(name))
	for _, v := range Verdicts() {
		if strings.ReplaceAll(string(v), "_", "") == plain {
			return v, nil
		}
	}
	if v, ok := verdictNames[plain]; ok {
		return v, nil
	}
	return "", fmt.Errorf("%q is no verdict: use one of %s, or TruePositive, BenignPositive, FalsePositive, Undetermined", name, verdictChoices())
}

// VerdictOfOCSF reads an OCSF verdict_id.
func VerdictOfOCSF(id int) (Verdict, error) {
	if v, ok := ocsfVerdicts[id]; ok {
		return v, nil
	}
	return "", fmt.Errorf("%d is no verdict_id that says what an incident was", id)
}

// StatusOf reads a status by our name or a usual one of ticket systems: new, in progress, resolved.
func StatusOf(name string) (Status, error) {
	switch strings.NewReplacer(" ", "", "-", "", "_", "").Replace(strings.ToLower(name)) {
	case "open", "new", "reopened":
		return Open, nil
	case "acknowledged", "inprogress", "active":
		return Acknowledged, nil
	case "closed", "resolved":
		return Closed, nil
	}
	return 0, fmt.Errorf("%q is no status: use open, acknowledged or closed", name)
}
