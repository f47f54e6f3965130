package jsonscan_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/tocsin-siem/tocsin/ingest/format/jsonscan"
)

func TestPlansOfManyMembersFindEachInAnyOrderAndNoOther(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 3))
	for _, wanted := range []int{15, 16, 17, 200, 1000} {
		paths := make([]string, wanted)
		for i := range paths {
			paths[i] = fmt.Sprintf("k%d", 2*i)
		}
		plan := jsonscan.Compile(paths...)
		var members []string
		for _, i := range r.Perm(2 * wanted) {
			members = append(members, fmt.Sprintf(`"k%d":%d`, i, i))
		}
		var got jsonscan.Result
		if err := plan.Scan([]byte("{"+strings.Join(members, ",")+"}"), &got); err != nil {
			t.Fatal(err)
		}
		for slot := range paths {
			if n, ok := got.Int64(slot); !ok || n != int64(2*slot) {
				t.Errorf("seed %d, %d members: %s is %d, %t", seed, wanted, paths[slot], n, ok)
			}
		}
		if err := plan.Scan([]byte(`{"k1":1,"k3":3,"none":0}`), &got); err != nil {
			t.Fatal(err)
		}
		for slot := range paths {
			if got.Exists(slot) {
				t.Errorf("seed %d, %d members: %s is found where it is not", seed, wanted, paths[slot])
			}
		}
	}
}
