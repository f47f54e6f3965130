package console_test

import (
	"strings"
	"testing"
)

func TestABodyThatCannotBeReadIsToldWhichMemberAndWhatWouldBeRight(t *testing.T) {
	c, in := newCaller(t)
	c.who.Scopes = nil
	for _, test := range []struct{ body, want string }{
		{`{"action":"note","expected_version":"seven"}`, `expected_version must be a whole number, not text`},
		{`{"action":"note","expected_version":1.5}`, `expected_version must be a whole number, not 1.5`},
		{`{"action":["note"],"expected_version":1}`, `action must be text, not a list`},
		{`{"action":"note","expectd_version":1}`, `expectd_version is not known: did you mean expected_version?`},
		{`{"action":"answer","expected_version":1,"answers":{"robots":"amr-07"}}`, `answers.robots must be a list, not text`},
		{`{"action":"answer","expected_version":1,"answers":{"robots":["a",7]}}`, `answers.robots[1] must be text, not a number`},
		{`{"action":"answer","expected_version":1,"answers":{"assesment":"intrusion"}}`, `answers.assesment is not known: did you mean assessment?`},
		{`{"action":"ticket","expected_version":1,"ticket":{"number":"1"}}`, `ticket.number is not known: there are system, id, url`},
		{`{"action":"contain","expected_version":1,"at":"yesterday"}`, `at must be a time like 2026-11-21T08:00:00Z, not text`},
		{`{"action":"note","action":"note"}`, `action stands twice`},
		{`{"action":"note"`, `ends in the middle: send one whole JSON object`},
		{``, `send one whole JSON object`},
		{`{"action" "note"}`, `it is no JSON behind byte`},
		{`{"action":"note"}{}`, `it is no JSON behind byte`},
		{`[]`, `the body must be an object, not a list`},
		{`{"` + strings.Repeat("x", 5000) + "\u202e" + `":1}`, `xxx… is not known: there are action,`},
	} {
		status, problem := c.send(actionsOf(in), test.body)
		detail, _ := problem["detail"].(string)
		if status != 400 || !strings.Contains(detail, test.want) || strings.Contains(detail, "Go ") || strings.Contains(detail, "json:") || len(detail) > 500 {
			t.Errorf("%.100s: %d: %s\nwant %s", test.body, status, detail, test.want)
		}
	}
}
