package access_test

import (
	"context"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/access"
)

func TestEachRoleMayWhatTheOnesBeforeItMayAndNobodyMayAnything(t *testing.T) {
	roles := []access.Role{access.Viewer, access.Analyst, access.Author, access.Admin}
	for i, has := range roles {
		for j, need := range roles {
			if got := (access.Person{Role: has}).May(need); got != (i >= j) {
				t.Errorf("%s may what %s may: %t", has, need, got)
			}
		}
		if back, err := access.RoleOf(has.String()); back != has || err != nil {
			t.Errorf("%s reads as %s, %v", has, back, err)
		}
	}
	if access.From(context.Background()).May(access.Viewer) || (access.Person{Role: access.Admin}).May(0) {
		t.Error("nobody may something, or something needs no role")
	}
	if _, err := access.RoleOf("root"); err == nil || !strings.Contains(err.Error(), "viewer") {
		t.Errorf("an unknown role: %v", err)
	}
}

func TestAPersonOfSomeSitesSeesThoseAndWhatBelongsToNone(t *testing.T) {
	p := access.Person{Role: access.Viewer, Sites: []string{"hall-3"}}
	for _, c := range []struct {
		sites []string
		sees  bool
	}{{nil, true}, {[]string{"hall-3"}, true}, {[]string{"hall-1", "hall-3"}, true}, {[]string{"hall-1"}, false}} {
		if got := p.Sees(c.sites); got != c.sees {
			t.Errorf("%v: %t", c.sites, got)
		}
	}
	none := access.Person{Role: access.Viewer, Sites: []string{}}
	if none.Sees([]string{"hall-1"}) || (access.Person{}).Sees(nil) {
		t.Error("somebody without sites, or nobody, sees a site")
	}
}
