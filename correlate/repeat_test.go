package correlate_test

import (
	"testing"
	"testing/fstest"

	"github.com/tocsin-siem/tocsin/correlate"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/rules"
)

func TestAnEventReadTwiceFromTwoPlacesCountsOnce(t *testing.T) {
	set, problems := rules.Load(fstest.MapFS{"r.yaml": {Data: []byte(`
id: twice
version: 1
title: Two failed sign-ins
status: shadow
match:
  count:
    id: failed
    class: authentication.logon
    where: status == "Failure"
    bind: {user: user}
    at_least: 2
    within: 10m
`)}}, "r.yaml")
	if set == nil {
		t.Fatal(problems)
	}
	e := correlate.New(set, correlate.Settings{})
	var b event.Batch
	for offset := range 3 {
		x := event.Event{ClassUID: event.ClassAuthentication, ActivityID: 1, StatusID: 2, Time: 1_795_000_000_000_000}
		x.User.Name = "ana@example.com"
		x.Envelope.ID = event.NewID("same")
		x.Envelope.Position = event.Position{Source: "s", Offset: int64(offset)}
		x.FindEntities()
		b.Events = append(b.Events, x)
	}
	b.Sort()
	hits, _ := e.Match(&b)
	e.Fold(hits, nil)
	if found := e.Drain(); len(found) != 0 {
		t.Errorf("one event, read three times, gave %d findings", len(found))
	}
}
