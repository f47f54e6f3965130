package languages_test

import (
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/reflect/protodesc"
)

// Names of messages of plantProto.
const (
	signInMessage = "plant.LogEvent"
	connMessage   = "plant.Sensor.Conn"
)

// Numbers of schemas in the registry. unknownSchema is registered only at the end.
const (
	signInSchema  = 101
	signInSchema2 = 0x01020304 // All four bytes of the frame count.
	plantSchema   = 103
	unknownSchema = 4242
)

// signInAvro is how a site may describe what it takes out of Okta's System Log.
const signInAvro = `{"type":"record","name":"LogEvent","namespace":"plant","fields":[
  {"name":"uuid","type":{"type":"string","logicalType":"uuid"}},
  {"name":"published","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"eventType","type":"string"},
  {"name":"severity","type":{"type":"enum","name":"Severity","symbols":["DEBUG","INFO","WARN","ERROR"]}},
  {"name":"displayMessage","type":["null","string"]},
  {"name":"actor","type":{"type":"record","name":"Actor","fields":[
    {"name":"id","type":"string"},{"name":"type","type":"string"},{"name":"alternateId","type":"string"},{"name":"displayName","type":"string"}]}},
  {"name":"client","type":{"type":"record","name":"Client","fields":[
    {"name":"ipAddress","type":["null","string"]},
    {"name":"userAgent","type":["null",{"type":"record","name":"Agent","fields":[{"name":"rawUserAgent","type":"string"},{"name":"os","type":"string"},{"name":"browser","type":"string"}]}]},
    {"name":"geographicalContext","type":["null",{"type":"record","name":"Place","fields":[{"name":"city","type":"string"},{"name":"country","type":"string"}]}]}]}},
  {"name":"outcome","type":{"type":"record","name":"Outcome","fields":[
    {"name":"result","type":{"type":"enum","name":"Result","symbols":["SUCCESS","FAILURE"]}},{"name":"reason","type":["null","string"]}]}},
  {"name":"target","type":["null",{"type":"array","items":{"type":"record","name":"Target","fields":[
    {"name":"id","type":"string"},{"name":"type","type":"string"},{"name":"alternateId","type":"string"},{"name":"displayName","type":"string"}]}}]},
  {"name":"debugContext","type":{"type":"record","name":"Debug","fields":[{"name":"debugData","type":{"type":"map","values":"string"}}]}},
  {"name":"securityContext","type":{"type":"record","name":"Security","fields":[{"name":"asNumber","type":"long"},{"name":"isProxy","type":["null","boolean"]}]}}`

const (
	signInAvro1 = signInAvro + `]}`
	signInAvro2 = signInAvro + `,{"name":"pipeline","type":["null","string"],"default":null}]}`
)

// plantProto has the messages of both sources that speak Protobuf, neither the first of the file and one of them nested.
const plantProto = `syntax = "proto3";
package plant;

message Heartbeat { string note = 1; }

message Sensor {
  string name = 1;
  message Conn {
    message Id { string orig_h = 1; uint32 orig_p = 2; string resp_h = 3; uint32 resp_p = 4; }
    double ts = 1;
    string uid = 2;
    Id id = 3;
    string proto = 4;
    optional string service = 5;
    double duration = 6;
    uint64 orig_bytes = 7;
    uint64 resp_bytes = 8;
    string conn_state = 9;
    fixed32 orig_pkts = 10;
    sint64 resp_pkts = 11;
    string history = 12;
  }
}

message LogEvent {
  enum Severity { UNSET = 0; DEBUG = 1; INFO = 2; WARN = 3; }
  message Actor { string id = 1; string type = 2; string alternateId = 3; string displayName = 4; }
  message Agent { string rawUserAgent = 1; string os = 2; string browser = 3; }
  message Place { string city = 1; string country = 2; }
  message Client { string ipAddress = 1; Agent userAgent = 2; Place geographicalContext = 3; }
  message Outcome { string result = 1; optional string reason = 2; }
  message Target { string id = 1; string type = 2; string alternateId = 3; string displayName = 4; }
  message Debug { map<string, string> debugData = 1; }
  message Security { int64 asNumber = 1; optional bool isProxy = 2; }
  string uuid = 1;
  string published = 2;
  string eventType = 3;
  Severity severity = 4;
  string displayMessage = 5;
  Actor actor = 6;
  Client client = 7;
  Outcome outcome = 8;
  repeated Target target = 9;
  Debug debugContext = 200;
  Security securityContext = 3000;
}
`

// descriptor is a .proto file as the Java producer reads it, a FileDescriptorProto in text format.
func descriptor(t *testing.T, file string) string {
	t.Helper()
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{Accessor: protocompile.SourceAccessorFromMap(map[string]string{"plant.proto": file})}}
	files, err := compiler.Compile(t.Context(), "plant.proto")
	must(t, err)
	text, err := prototext.Marshal(protodesc.ToFileDescriptorProto(files[0]))
	must(t, err)
	return string(text)
}

// schemas is a schema registry that can go away.
type schemas struct {
	*srfake.Registry
	url  string
	away atomic.Bool // Connections break off without an answer.
}

func newSchemas(t *testing.T) *schemas {
	s := &schemas{Registry: srfake.NewRegistry()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.away.Load() {
			panic(http.ErrAbortHandler)
		}
		s.Handler().ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	s.SeedSchema("plant.okta.avro-value", 1, signInSchema, sr.Schema{Schema: signInAvro1})
	s.SeedSchema("plant.okta.avro-value", 2, signInSchema2, sr.Schema{Schema: signInAvro2})
	s.SeedSchema("plant.okta.proto-value", 1, plantSchema, sr.Schema{Schema: plantProto, Type: sr.TypeProtobuf})
	return s
}

// framed is a payload with the frame of a schema.
func framed(schema uint32, payload ...byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, schema), payload...)
}

// indexed is a payload with the frame of a schema and the path to one of its messages.
func indexed(schema uint32, path []int64, payload ...byte) []byte {
	out := binary.AppendVarint(framed(schema), int64(len(path)))
	for _, n := range path {
		out = binary.AppendVarint(out, n)
	}
	return append(out, payload...)
}
