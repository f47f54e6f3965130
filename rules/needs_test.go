package rules_test

import (
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/rules"
)

func TestWhatARuleNeedsIsListedOnceForEveryStepAndGuard(t *testing.T) {
	set, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(`id: x
version: 1
title: X
status: shadow
match:
  sequence:
    - {id: login, class: [authentication.logon, api_activity], where: 'status == "Success" and raw("Image") != "" and user.privileged', bind: {person: user, machine: target.device}}
    - {id: mode, class: robot_state, bind: {person: user}, changed: {value: robot.operating_mode, per: [person]}}
  within: 1h
  unless:
    - {class: change_ticket, between: true, where: 'message contains login.message', bind: {person: user}}
`)}}, "r.yaml")
	if set == nil {
		t.Fatal(problems)
	}
	var got []string
	for _, n := range set.Rules[0].Needs() {
		for _, f := range n.Fields {
			got = append(got, n.Step+" "+f.For+" "+f.Path)
		}
	}
	want := []string{
		"login bind user", "login bind target.device", "login where raw.Image", "login where status", "login where user.privileged", "login carried message",
		"mode bind user", "mode carried robot.operating_mode",
		"unless[0] bind user", "unless[0] carried message",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
