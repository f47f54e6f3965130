package format_test

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
)

// zeekRows are a row of each of three logs, with the header it stands under. The headers of the last two have one length.
var zeekRows = []struct{ header, row string }{
	{
		"#separator \\x09\n#path\tconn\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tconn_state\torig_bytes\n",
		"1795140849.1\tC1\t10.31.8.20\t40001\t10.31.0.12\t502\ttcp\tSF\t120",
	},
	{"#separator \\x09\n#path\tdns\n#fields\tts\tuid\tid.orig_h\tid.resp_h\tquery\n", "1795140850.1\tC2\t10.31.8.20\t10.31.0.53\tfleet.example"},
	{"#separator \\x09\n#path\tdns\n#fields\tts\tuid\tid.resp_h\tid.orig_h\tquery\n", "1795140851.1\tC3\t10.31.0.53\t10.31.8.20\tfleet.example"},
}

func TestZeekRowsFollowTheirOwnHeaderThoughItsBufferIsReused(t *testing.T) {
	zeek, _ := format.ByName("zeek")
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 7))
	var used format.Scratch
	buffer := make([]byte, 512)
	for range 200 {
		x := zeekRows[r.IntN(len(zeekRows))]
		header := buffer[:copy(buffer, x.header)]
		got, err := decode(t, zeek, &used, &event.Record{Value: []byte(x.row), Context: header, Received: received.UnixMicro()})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		fresh, err := decode(t, zeek, new(format.Scratch), &event.Record{Value: []byte(x.row), Context: []byte(x.header), Received: received.UnixMicro()})
		if err != nil {
			t.Fatal(err)
		}
		if got[0].SrcEndpoint.IP != "10.31.8.20" {
			t.Errorf("seed %d: the source of %q is %s", seed, x.row, got[0].SrcEndpoint.IP)
		}
		if d := cmp.Diff(compact(fresh), compact(got), cmp.Comparer(bytes.Equal)); d != "" {
			t.Errorf("seed %d: %q (-fresh +used):\n%s", seed, x.row, d)
		}
	}
}
