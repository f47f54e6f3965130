package event_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
)

// TestEntitiesOfAnEventHaveTheCanonicalKeysOfItsFields compares what an event's fields give, which shares memory where it can, with CanonicalKey.
func TestEntitiesOfAnEventHaveTheCanonicalKeysOfItsFields(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 7))
	parts := []string{"", "PLANT", "Plant.Example", "anna.lund", "ANNA.LUND", "Anna Lund", "a@B.example", "9999-12-31", "-", "N/A", " x ", "x.", "ÄNNE", "K", "cafe.12", "10.20.3.4", "010.1.1.1", "FE80::1", "::1", "fe80::1%eth0", "CELL-01.", "dead", "dead.beef", "1.2.3", "3:4", strings.Repeat("A", 200), "0", `D\E`}
	one := func() string { return parts[r.IntN(len(parts))] }
	for range 20000 {
		e := event.Event{}
		e.Actor.User = event.User{Name: one(), Domain: one(), UID: one(), Email: one()}
		e.Device = event.Device{Hostname: one(), Name: one(), IP: one(), Serial: one()}
		e.Process = &event.Process{User: one(), SHA256: one()}
		e.FindEntities()
		type key struct {
			kind event.EntityKind
			role event.Role
			key  string
		}
		want, got := map[key]bool{}, map[key]bool{}
		add := func(kind event.EntityKind, role event.Role, s string) {
			if k := event.CanonicalKey(kind, s); k != "" {
				want[key{kind, role, k}] = true
			}
		}
		u := &e.Actor.User
		for _, s := range []string{u.UID, u.Email, u.Name} {
			add(event.EntityUser, event.RoleActor, s)
		}
		if u.Domain != "" && u.Name != "" && !strings.ContainsAny(u.Name, `@\`) {
			add(event.EntityUser, event.RoleActor, u.Domain+`\`+u.Name)
		}
		for _, s := range []string{e.Device.Hostname, e.Device.Name} {
			if event.CanonicalKey(event.EntityIP, s) == "" && s != "::1" && s != "fe80::1%eth0" {
				add(event.EntityDevice, event.RoleSubject, s)
			}
		}
		add(event.EntityDevice, event.RoleSubject, e.Device.Serial)
		add(event.EntityIP, event.RoleSubject, e.Device.IP)
		add(event.EntityHash, event.RoleContext, e.Process.SHA256)
		add(event.EntityUser, event.RoleContext, e.Process.User)
		for _, x := range e.Entities {
			got[key{x.Kind, x.Role, x.Key}] = true
		}
		if diff := cmp.Diff(want, got, cmp.AllowUnexported(key{})); diff != "" {
			t.Fatalf("seed %d: %+v, %+v, %+v: %s", seed, *u, e.Device, *e.Process, diff)
		}
	}
}
