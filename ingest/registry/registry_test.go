package registry_test

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/twmb/avro"
	"github.com/twmb/franz-go/pkg/sr"
	"github.com/twmb/franz-go/pkg/sr/srfake"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/ingest/format"
	"github.com/tocsin-siem/tocsin/ingest/registry"
)

var update = flag.Bool("update", false, "write the golden files anew")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), string(got)); d != "" {
		t.Errorf("%s (-want +got):\n%s", name, d)
	}
}

func testFile(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// fake is a registry on loopback.
func fake(t testing.TB) *srfake.Registry {
	r := srfake.New()
	t.Cleanup(r.Close)
	return r
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func client(t testing.TB, url string) *registry.Client {
	t.Helper()
	cfg := registry.DefaultConfig()
	cfg.URL = url
	c, err := registry.New(cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func transcoder(t testing.TB, c *registry.Client, encoding string) *registry.Transcoder {
	t.Helper()
	out, err := c.Transcoder(encoding)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// framed is payload with the frame of schema id.
func framed(id uint32, payload ...byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), payload...)
}

// run prepares and transcodes one value.
func run(t testing.TB, tr *registry.Transcoder, value []byte) (event.Record, error) {
	t.Helper()
	records := []event.Record{{Value: value}}
	if err := tr.Prepare(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	err := tr.Transcode(&records[0])
	return records[0], err
}

// wantReject checks code and words of the reject.
func wantReject(t *testing.T, err error, code string, words ...string) {
	t.Helper()
	r, ok := errors.AsType[*format.Reject](err)
	if !ok {
		t.Fatalf("%v is no reject", err)
	}
	if r.Code != code {
		t.Errorf("code %s, want %s (%s)", r.Code, code, r.Reason)
	}
	for _, w := range words {
		if !strings.Contains(r.Reason, w) {
			t.Errorf("the reason %q does not say %q", r.Reason, w)
		}
	}
}

func TestTheFrameOfJSONIsStrippedWithoutAskingTheRegistry(t *testing.T) {
	tr := transcoder(t, client(t, "http://127.0.0.1:1"), "json")
	wire := framed(7, []byte(`{"eventType":"user.session.start"}`)...)
	rec, err := run(t, tr, wire)
	if err != nil {
		t.Fatal(err)
	}
	if string(rec.Value) != `{"eventType":"user.session.start"}` || string(rec.Wire) != string(wire) {
		t.Errorf("value %q, wire %q", rec.Value, rec.Wire)
	}
}

func TestARecordWithoutAFrameIsRejectedAndLeftAsItWas(t *testing.T) {
	tr := transcoder(t, client(t, "http://127.0.0.1:1"), "avro")
	for _, c := range []struct{ value, words string }{
		{`{"plain":"JSON"}`, "encoding: raw"},
		{"\x00\x00\x00", "ends after 3 bytes"},
		{"\x00\xff\xff\xff\xff", "4294967295"},
	} {
		rec, err := run(t, tr, []byte(c.value))
		wantReject(t, err, "registry_frame", c.words)
		if string(rec.Value) != c.value || rec.Wire != nil {
			t.Errorf("the record became %q, wire %q", rec.Value, rec.Wire)
		}
	}
	if rec, err := run(t, tr, nil); err != nil || rec.Wire != nil {
		t.Errorf("a tombstone gave %v, wire %q", err, rec.Wire)
	}
}

func TestASchemaIdInAHeaderIsNotMistakenForAFrame(t *testing.T) {
	c := client(t, "http://127.0.0.1:1")
	headers := []event.Header{{Key: "__value_schema_id", Value: []byte("\x01 a GUID")}}
	records := []event.Record{{Value: framed(1, 2), Headers: headers}}
	tr := transcoder(t, c, "avro")
	if err := tr.Prepare(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	wantReject(t, tr.Transcode(&records[0]), "registry_frame", "in the header __value_schema_id")
	records[0].Value = []byte(`{"a":1}`)
	if err := transcoder(t, c, "json").Transcode(&records[0]); err != nil || string(records[0].Value) != `{"a":1}` || records[0].Wire != nil {
		t.Errorf("got %q, %v", records[0].Value, err)
	}
}

func TestASchemaThatDoesNotExistRejectsItsRecords(t *testing.T) {
	_, err := run(t, transcoder(t, client(t, fake(t).URL()), "avro"), framed(99, 2))
	wantReject(t, err, "registry_schema_unknown", "schema 99")
}

func TestASchemaOfAnotherKindRejectsItsRecords(t *testing.T) {
	reg := fake(t)
	reg.SeedSchema("a", 1, 1, sr.Schema{Schema: `"string"`})
	_, err := run(t, transcoder(t, client(t, reg.URL()), "protobuf"), framed(1, 0))
	wantReject(t, err, "registry_schema_type", "schema 1 is of avro", "encoding is protobuf")
}

func TestASchemaThatDoesNotCompileRejectsItsRecords(t *testing.T) {
	for encoding, s := range map[string]sr.Schema{
		"avro":     {Schema: `{"type":"record","name":"R","fields":[{"name":"f","type":"Missing"}]}`},
		"protobuf": {Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; import "missing.proto"; message M { missing.X x = 1; }`},
	} {
		reg := fake(t)
		reg.SeedSchema("a", 1, 1, s)
		_, err := run(t, transcoder(t, client(t, reg.URL()), encoding), framed(1, 0))
		wantReject(t, err, "registry_schema_refused", "schema 1: it cannot be used", "issing")
	}
}

func TestABracketBombInAProtoFileIsRefused(t *testing.T) {
	reg := fake(t)
	reg.SeedSchema("a", 1, 1, sr.Schema{Type: sr.TypeProtobuf, Schema: `syntax = "proto3"; ` + strings.Repeat("message A { ", 300_000)})
	_, err := run(t, transcoder(t, client(t, reg.URL()), "protobuf"), framed(1, 0))
	wantReject(t, err, "registry_schema_refused", "levels deep")
}

func TestReferencesAreFollowedOverSeveralLevels(t *testing.T) {
	reg := fake(t)
	reg.SeedSchema("city", 1, 1, sr.Schema{Schema: `{"type":"record","name":"City","namespace":"g","fields":[{"name":"name","type":"string"}]}`})
	reg.SeedSchema("addr", 3, 2, sr.Schema{
		Schema:     `{"type":"record","name":"Addr","namespace":"g","fields":[{"name":"city","type":"City"}]}`,
		References: []sr.SchemaReference{{Name: "g.City", Subject: "city", Version: 1}},
	})
	reg.SeedSchema("user", 1, 3, sr.Schema{
		Schema: `{"type":"record","name":"User","namespace":"u","fields":[{"name":"home","type":"g.Addr"},{"name":"born","type":["null","g.City"]}]}`,
		References: []sr.SchemaReference{
			{Name: "g.Addr", Subject: "addr", Version: 3}, {Name: "g.City", Subject: "city", Version: 1},
		},
	})
	rec, err := run(t, transcoder(t, client(t, reg.URL()), "avro"), framed(3, []byte("\x04Ul\x02\x06Rom")...))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(rec.Value), `{"home":{"city":{"name":"Ul"}},"born":{"name":"Rom"}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestBasicAuthenticationIsSent(t *testing.T) {
	reg := srfake.New(srfake.WithAuth("Basic b3BzOnMzY3JldA=="))
	t.Cleanup(reg.Close)
	reg.SeedSchema("a", 1, 1, sr.Schema{Schema: `"long"`})
	cfg := registry.DefaultConfig()
	cfg.URL, cfg.Username, cfg.Password = reg.URL(), "ops", "s3cret"
	c, err := registry.New(cfg, quiet())
	if err != nil {
		t.Fatal(err)
	}
	rec, err := run(t, transcoder(t, c, "avro"), framed(1, 2))
	if err != nil || string(rec.Value) != "1" {
		t.Errorf("got %q, %v", rec.Value, err)
	}
}

func TestTheNextAddressIsAskedWhereOneDoesNotAnswer(t *testing.T) {
	reg := fake(t)
	reg.SeedSchema("a", 1, 1, sr.Schema{Schema: `"long"`})
	rec, err := run(t, transcoder(t, client(t, "http://127.0.0.1:1, "+reg.URL()+"/"), "avro"), framed(1, 3))
	if err != nil || string(rec.Value) != "-2" {
		t.Errorf("got %q, %v", rec.Value, err)
	}
}

func TestManyGoroutinesAskForASchemaOnce(t *testing.T) {
	reg := fake(t)
	var asked atomic.Int64
	reg.Intercept(func(http.ResponseWriter, *http.Request) bool { asked.Add(1); return false })
	const schemas = 5
	for id := 1; id <= schemas; id++ {
		reg.SeedSchema("s", id, id, sr.Schema{Schema: `{"type":"record","name":"R","fields":[{"name":"n","type":"long"},{"name":"s","type":"string"}]}`})
	}
	tr := transcoder(t, client(t, reg.URL()), "avro")
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Go(func() {
			for i := range 200 {
				records := []event.Record{
					{Value: framed(uint32(1+(g+i)%schemas), byte(2*(i%60)), 2, 'x')},
					{Value: framed(1, 2, 200)}, // Poison between good ones.
				}
				if err := tr.Prepare(context.Background(), records); err != nil {
					t.Error(err)
				}
				if err := tr.Transcode(&records[0]); err != nil {
					t.Error(err)
				}
				if tr.Transcode(&records[1]) == nil {
					t.Error("the poison passed")
				}
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n != schemas {
		t.Errorf("the registry was asked %d times for %d schemas", n, schemas)
	}
}

func TestConfigSaysWhichKeyIsWrong(t *testing.T) {
	for _, c := range []struct {
		change func(*registry.Config)
		want   string
	}{
		{func(c *registry.Config) { c.URL = "" }, "url:"},
		{func(c *registry.Config) { c.URL = "registry:8081" }, "url:"},
		{func(c *registry.Config) { c.URL = "http://u:p@registry:8081" }, "username and password"},
		{func(c *registry.Config) { c.URL += "?x=1" }, "query"},
		{func(c *registry.Config) { c.Timeout = 0 }, "timeout:"},
		{func(c *registry.Config) { c.Password = "x" }, "username:"},
		{func(c *registry.Config) { c.CA = "testdata/peer.proto" }, "ca: testdata/peer.proto holds no certificate"},
		{func(c *registry.Config) { c.CA = "testdata/none.pem" }, "ca:"},
	} {
		cfg := registry.DefaultConfig()
		cfg.URL = "https://registry:8081"
		c.change(&cfg)
		if _, err := registry.New(cfg, quiet()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want something about %q", err, c.want)
		}
	}
	if _, err := client(t, "http://registry").Transcoder("thrift"); err == nil || !strings.Contains(err.Error(), "avro, protobuf or json") {
		t.Errorf("got %v", err)
	}
}

// mustEncode writes value with the library.
func mustEncode(t testing.TB, schema string, value any) []byte {
	t.Helper()
	s, err := avro.Parse(schema)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Encode(value)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
