package access

import (
	"strings"
	"testing"
)

func TestAPasswordMatchesItsOwnHashAlone(t *testing.T) {
	hash := hashPassword("four random words", hashKiB)
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=65536,t=3,p=4$") || hash == hashPassword("four random words", hashKiB) {
		t.Errorf("the hash is %s", hash)
	}
	if !matches(hash, "four random words") || matches(hash, "four random word") || matches(hash, "") {
		t.Error("the hash does not tell passwords apart")
	}
	whole := strings.Split(hash, "$")
	for name, bad := range map[string]string{
		"nothing": "", "another kind": "$2y$10$abcdefghijklmnopqrstuv", "no tag": strings.Join(whole[:5], "$") + "$", "no salt": strings.Join([]string{"", whole[1], whole[2], whole[3], "", whole[5]}, "$"),
		"too much memory": strings.Replace(hash, "m=65536", "m=99999999", 1), "no passes": strings.Replace(hash, "t=3", "t=0", 1), "not base64": strings.Join(whole[:5], "$") + "$!!",
	} {
		if matches(bad, "four random words") || matches(bad, "") {
			t.Errorf("%s matches", name)
		}
	}
}
