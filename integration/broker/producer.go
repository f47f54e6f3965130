package broker

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tocsin-siem/tocsin/integration/producer"
)

// produceTime is how long one answer of the Java producer may take; it outlasts its own delivery.timeout.ms of two minutes.
const produceTime = 150 * time.Second

// Record is what the Java producer is to send. A nil Key or Value is Kafka's null.
type Record struct {
	Key, Value []byte
	Headers    []Header
	Raw        bool // Where the producer has a schema: send the value as it is, not encoded.
}

// Header is a header of a record. A nil Value is Kafka's null.
type Header struct {
	Name  string
	Value []byte
}

// Ack is the broker's word that it has a record.
type Ack struct {
	Index     int // Of the record, counted from 0 over the life of the producer.
	Partition int
	Offset    int64
	Time      int64 // Milliseconds.
}

// Schema has the Java producer encode values and frame them for the schema registry.
type Schema struct {
	Encoding string // avro: values are in Avro's JSON encoding; protobuf: in the text format of Protocol Buffers.
	Text     string // The Avro schema, or a FileDescriptorProto in text format.
	ID       int32  // What the registry calls it.
	Message  string // Full name of the message; protobuf only.
}

// Producer is a Java program on the official client that sends records to one topic, with acks=all. It belongs to one goroutine.
type Producer struct {
	t      testing.TB
	in     *feed
	run    *process
	errors *bytes.Buffer // To be read when the process has ended.
	words  chan string   // What it says that is not about one record; closed at its end.
	sent   int

	mu   sync.Mutex
	acks []Ack
	fail []string
}

// Producer starts a Java producer and returns when it is connected. Properties are those of the Java client, such as compression.type or
// transactional.id. With a schema it encodes values itself. It is closed at the end of the test at the latest.
func (b *Broker) Producer(topic string, properties map[string]string, schema *Schema) *Producer {
	b.t.Helper()
	if _, err := exec.LookPath(javaProgram("javac")); err != nil {
		missing := &Missing{"a Java compiler (javac)", "install a JDK, not only a JRE (Debian, Ubuntu: apt-get install default-jdk-headless)"}
		if os.Getenv("CI") == "true" {
			b.t.Fatal(missing)
		}
		b.t.Skip(missing)
	}
	arguments, err := b.producerFiles(topic, properties, schema)
	if err != nil {
		b.t.Fatalf("start the Java producer: %v", err)
	}
	line := java(b.java, b.jars, b.folder, "128m", arguments...)
	cmd := exec.Command(line[0], line[1:]...)
	p := &Producer{t: b.t, errors: &bytes.Buffer{}, words: make(chan string, 64)}
	cmd.Stderr = p.errors
	in, err := cmd.StdinPipe()
	if err != nil {
		b.t.Fatal(err)
	}
	out, outEnd := io.Pipe()
	cmd.Stdout = outEnd
	if p.run, err = launch(cmd); err != nil {
		b.t.Fatalf("start the Java producer: %v", err)
	}
	go func() {
		<-p.run.done
		_ = outEnd.Close()
	}()
	go p.listen(out)
	p.in = newFeed(in)
	b.t.Cleanup(func() {
		p.in.close()
		p.run.kill()
	})
	p.expect("ready")
	return p
}

// producerFiles writes what the producer reads at its start and returns its arguments.
func (b *Broker) producerFiles(topic string, properties map[string]string, schema *Schema) ([]string, error) {
	folder := b.t.TempDir()
	var text strings.Builder
	fmt.Fprintf(&text, "bootstrap.servers=%s\nmax.block.ms=%d\n", b.Addr(), produceTime.Milliseconds())
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		fmt.Fprintf(&text, "%s=%s\n", key, properties[key])
	}
	files := map[string][]byte{"Produce.java": producer.Source, "producer.properties": []byte(text.String())}
	arguments := []string{filepath.Join(folder, "Produce.java"), topic, filepath.Join(folder, "producer.properties")}
	if schema != nil {
		files["schema"] = []byte(schema.Text)
		arguments = append(arguments, schema.Encoding, filepath.Join(folder, "schema"), strconv.Itoa(int(schema.ID)), schema.Message)
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return nil, err
		}
	}
	return arguments, nil
}

// Send hands records over; they are sent in the background, be there a broker or not.
func (p *Producer) Send(records ...Record) {
	p.t.Helper()
	for _, r := range records {
		fields := []string{base64Field(r.Key), base64Field(r.Value)}
		if r.Raw {
			fields = slices.Insert(fields, 0, ":raw")
		}
		for _, h := range r.Headers {
			fields = append(fields, base64Field([]byte(h.Name))+":"+base64Field(h.Value))
		}
		p.order(strings.Join(fields, "\t"))
		p.sent++
	}
}

// Partition sends the records that follow to one partition; without it the Java client chooses by key.
func (p *Producer) Partition(n int) { p.order(":partition\t" + strconv.Itoa(n)) }

// Time gives the records that follow this time, in milliseconds, instead of the clock's.
func (p *Producer) Time(ms int64) { p.order(":time\t" + strconv.FormatInt(ms, 10)) }

// Flush waits until every record is acknowledged. It fails the test if one could not be sent.
func (p *Producer) Flush() { p.t.Helper(); p.ask(":flush", "flushed") }

// Begin starts a transaction; transactional.id has to be set.
func (p *Producer) Begin() { p.t.Helper(); p.ask(":begin", "begun") }

// Commit ends the transaction; its records count.
func (p *Producer) Commit() { p.t.Helper(); p.ask(":commit", "committed") }

// Abort ends the transaction; its records are in the log and do not count.
func (p *Producer) Abort() { p.t.Helper(); p.ask(":abort", "aborted") }

// Acks is what the broker has acknowledged until now, in the order of the records sent.
func (p *Producer) Acks() []Ack {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.SortedFunc(slices.Values(p.acks), func(a, b Ack) int { return a.Index - b.Index })
}

// Close waits until everything sent is acknowledged, ends the producer and returns the acknowledgements in the order of the records sent.
func (p *Producer) Close() []Ack {
	p.t.Helper()
	p.in.close()
	p.expect("closed")
	<-p.run.done
	p.check()
	acks := p.Acks()
	if len(acks) != p.sent {
		p.t.Errorf("the Java producer sent %d records, %d are acknowledged", p.sent, len(acks))
	}
	return acks
}

func (p *Producer) order(line string) { p.in.write(line + "\n") }

func (p *Producer) ask(order, answer string) {
	p.t.Helper()
	p.order(order)
	p.expect(answer)
	p.check()
}

func (p *Producer) expect(word string) {
	p.t.Helper()
	select {
	case said, open := <-p.words:
		if !open {
			<-p.run.done
			p.t.Fatalf("the Java producer has ended (%v) instead of saying %q\n%s", p.run.err, word, p.errors)
		}
		if said != word {
			p.t.Fatalf("the Java producer said %q, not %q", said, word)
		}
	case <-time.After(produceTime):
		p.run.kill()
		p.t.Fatalf("the Java producer did not say %q within %v\n%s", word, produceTime, p.errors)
	}
}

// check fails the test where records could not be sent.
func (p *Producer) check() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.fail) > 0 {
		p.t.Errorf("%d records could not be sent; the first: %s", len(p.fail), p.fail[0])
	}
}

// listen reads what the program says until its end.
func (p *Producer) listen(out io.Reader) {
	defer close(p.words)
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		fields := strings.Split(lines.Text(), "\t")
		switch {
		case fields[0] == "ack" && len(fields) == 5:
			p.mu.Lock()
			p.acks = append(p.acks, Ack{int(number(fields[1])), int(number(fields[2])), number(fields[3]), number(fields[4])})
			p.mu.Unlock()
		case fields[0] == "fail":
			p.mu.Lock()
			p.fail = append(p.fail, lines.Text())
			p.mu.Unlock()
		default:
			p.words <- lines.Text()
		}
	}
}

// number reads what our own program printed; what it cannot have printed is -1, which no test expects.
func number(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return -1
	}
	return n
}

func base64Field(b []byte) string {
	if b == nil {
		return "-"
	}
	return base64.StdEncoding.EncodeToString(b)
}
