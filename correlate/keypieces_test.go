package correlate

import "testing"

func TestAKeyWithFewerPiecesLeavesNoneOfTheKeyBefore(t *testing.T) {
	p := piecesOf("user:ann" + keySeparator + "robot:h1")
	p.split("user:bob")
	if fresh := piecesOf("user:bob"); p != fresh {
		t.Errorf("pieces are %q, want %q", p.text, fresh.text)
	}
}
