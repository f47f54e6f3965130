package event_test

import (
	"testing"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/event/ocsf"
)

func TestCaptionsAreThoseOfTheSchemaHoweverOftenAskedFor(t *testing.T) {
	asked := 0
	for range 2 {
		for _, object := range []string{"robot", "robot_fault", "file", "user", "device", "network_connection_info", "analytic", "security_state", "no_such_object"} {
			attributes := ocsf.ObjectAttributes(object)
			for _, a := range append(attributes, ocsf.Attribute{Name: "no_such_attribute"}) {
				for _, id := range []int{0, 1, 2, 7, 99, 1000} {
					want, ok := a.Enum.Caption(int64(id))
					if id == 0 || !ok {
						want = ""
					}
					if got := event.Caption(object, a.Name, id); got != want {
						t.Errorf("%s.%s %d: %q, want %q", object, a.Name, id, got, want)
					}
					asked++
				}
			}
		}
		if got := event.Caption("", "status_id", 1); got != "Success" {
			t.Errorf("status 1 is %q", got)
		}
	}
	if asked < 1000 {
		t.Fatalf("only %d were asked for", asked)
	}
}
