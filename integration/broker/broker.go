package broker

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
)

const (
	// clusterID is any 16 bytes in base64.
	clusterID = "dG9jc2luLWludGVncmF0aQ"
	// startTime is how long the broker may take until it answers; on a quiet machine it is two seconds.
	startTime = 5 * time.Minute
	// stopTime is how long it may take to end in good order.
	stopTime = 3 * time.Minute
	// pollTime is how often something that has no notification is looked at.
	pollTime = 50 * time.Millisecond
)

// Broker is an Apache Kafka that ends with its test. Its methods report failures through the test and belong to the test's goroutine.
type Broker struct {
	t        testing.TB
	java     string // The program.
	jars     string
	folder   string
	settings Settings
	ports    ports
	client   *kafka.Client
	running  *process // nil: stopped.
}

// Start starts a broker and returns when it answers. It skips the test where integration tests do not run; see the package comment.
func Start(t testing.TB) *Broker {
	t.Helper()
	return StartWith(t, Settings{})
}

// StartWith is [Start] with other settings.
func StartWith(t testing.TB, settings Settings) *Broker {
	t.Helper()
	program, jars := require(t)
	if settings.Heap == "" {
		settings.Heap = "256m"
	}
	b := &Broker{t: t, java: program, jars: jars, folder: t.TempDir(), settings: settings}
	t.Cleanup(b.end)
	for attempt := 1; ; attempt++ {
		err := b.first()
		if err == nil {
			return b
		}
		if attempt == 3 || !strings.Contains(err.Error(), "already in use") {
			t.Fatalf("start Apache Kafka %s: %v", Version(), err)
		}
	}
}

// require returns the Java program and the folder of jars; it skips or fails the test where there are none.
func require(t testing.TB) (program, jars string) {
	t.Helper()
	must := os.Getenv("CI") == "true"
	if !must && os.Getenv("TOCSIN_INTEGRATION") != "1" {
		t.Skip("integration tests run with `make integration`, or with TOCSIN_INTEGRATION=1")
	}
	program, err := findJava(t.Context())
	if err == nil {
		jars, err = Fetch(t.Context(), func(line string) { t.Log(line) })
	}
	if missing, is := errors.AsType[*Missing](err); is && !must {
		t.Skip(missing)
	}
	if err != nil {
		t.Fatal(err)
	}
	return program, jars
}

// first formats the storage and starts the broker on new ports.
func (b *Broker) first() error {
	var err error
	if b.ports, err = freePorts(); err != nil {
		return err
	}
	if err := b.settings.write(b.folder, b.ports); err != nil {
		return err
	}
	b.client = &kafka.Client{Addr: kafka.TCP(b.Addr()), Timeout: time.Minute}
	if err := os.RemoveAll(filepath.Join(b.folder, "data")); err != nil {
		return err
	}
	arguments := []string{"format", "--cluster-id", clusterID, "--config", filepath.Join(b.folder, "server.properties")}
	if b.settings.Secure {
		arguments = append(arguments, scramUsers()...)
	}
	format := b.command("kafka.tools.StorageTool", arguments...)
	if said, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("format its storage: %w\n%s", err, said)
	}
	return b.launch()
}

func (b *Broker) command(class string, arguments ...string) *exec.Cmd {
	line := java(b.java, b.jars, b.folder, b.settings.Heap, append([]string{class}, arguments...)...)
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = b.folder
	return cmd
}

// launch starts the process and waits until it answers.
func (b *Broker) launch() error {
	log, err := os.OpenFile(b.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := b.command("kafka.Kafka", filepath.Join(b.folder, "server.properties"))
	cmd.Stdout, cmd.Stderr = log, log
	if b.running, err = launch(cmd); err != nil {
		b.running = nil
		return err
	}
	if err := b.awaitReady(b.running); err != nil {
		b.Kill()
		return fmt.Errorf("%w; its last words:\n%s", err, b.lastWords())
	}
	return nil
}

func (b *Broker) awaitReady(p *process) error {
	ctx, cancel := context.WithTimeout(b.t.Context(), startTime)
	defer cancel()
	problem := errors.New("not asked yet")
	for {
		select {
		case <-p.done:
			return fmt.Errorf("it has ended: %w", p.err)
		case <-ctx.Done():
			return fmt.Errorf("it does not answer after %v: %w", startTime, problem)
		case <-time.After(pollTime):
		}
		if problem = b.ready(ctx); problem == nil {
			return nil
		}
	}
}

// ready asks for metadata: the broker has to know itself, and each partition its leader.
func (b *Broker) ready(ctx context.Context) error {
	conn, err := kafka.DialContext(ctx, "tcp", b.Addr())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(time.Minute)) //nolint:forbidigo // A deadline of the network's, in a test's broker.
	brokers, err := conn.Brokers()
	if err != nil {
		return err
	}
	if len(brokers) != 1 || brokers[0].Port != b.ports.clients {
		return fmt.Errorf("it names %v as brokers", brokers)
	}
	partitions, err := conn.ReadPartitions()
	if err != nil {
		return err
	}
	for _, p := range partitions {
		if p.Leader.Port != b.ports.clients {
			return fmt.Errorf("partition %d of %s has no leader", p.ID, p.Topic)
		}
	}
	return nil
}

// Addr is host:port for clients. It stays the same over restarts.
func (b *Broker) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(b.ports.clients)) }

// PID is the process id; 0 while the broker is not running.
func (b *Broker) PID() int {
	if b.running == nil {
		return 0
	}
	return b.running.cmd.Process.Pid
}

// Kill ends the broker with kill -9 and returns when it is gone.
func (b *Broker) Kill() {
	if b.running != nil {
		b.running.kill()
		b.running = nil
	}
}

// Stop ends the broker in good order.
func (b *Broker) Stop() {
	b.t.Helper()
	if b.running == nil {
		return
	}
	b.running.terminate()
	select {
	case <-b.running.done:
	case <-time.After(stopTime):
		b.t.Errorf("the broker did not end within %v and was killed", stopTime)
		b.running.kill()
	}
	b.running = nil
}

// Restart starts the broker again, on the same ports with the same data, and returns when it answers. One that runs is stopped first.
func (b *Broker) Restart() {
	b.t.Helper()
	b.Stop()
	if err := b.launch(); err != nil {
		b.t.Fatalf("start Apache Kafka again: %v", err)
	}
}

// Pause stops the process where it is: its connections stay open and nothing is answered.
func (b *Broker) Pause() { b.suspend(true) }

// Resume lets a paused broker go on.
func (b *Broker) Resume() { b.suspend(false) }

func (b *Broker) suspend(stop bool) {
	b.t.Helper()
	if b.running == nil {
		b.t.Fatal("the broker is not running")
	}
	if err := Suspend(b.PID(), stop); err != nil {
		b.t.Fatalf("pause or resume the broker: %v", err)
	}
}

func (b *Broker) end() {
	b.Kill()
	if b.t.Failed() {
		b.t.Logf("the broker's last words:\n%s", b.lastWords())
	}
}

func (b *Broker) logFile() string { return filepath.Join(b.folder, "broker.log") }

func (b *Broker) lastWords() string {
	const size = 4 << 10
	text, err := os.ReadFile(b.logFile())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-size):])
}

// freePorts chooses ports below those the kernel gives to outgoing connections: one of these could take the port of a broker that is down,
// even a client's own attempt to reach it.
func freePorts() (ports, error) {
	found := map[int]bool{}
	for range 1000 {
		port, free := tryPort()
		if !free {
			continue
		}
		found[port] = true
		if free := slices.Collect(maps.Keys(found)); len(free) == 3 {
			return ports{clients: free[0], controller: free[1], secure: free[2]}, nil
		}
	}
	return ports{}, errors.New("there are no three free ports between 15000 and 32000 on 127.0.0.1")
}

// tryPort draws a port and says whether it is free.
func tryPort() (port int, free bool) {
	const lowest, highest = 15000, 32000
	port = lowest + rand.IntN(highest-lowest)
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return port, false
	}
	_ = l.Close()
	return port, true
}

// FreeAddress is an address of loopback that nobody listens on, for another program to listen on, again and again if it has to. Its port lies below
// those that the kernel gives to outgoing connections and to whoever asks for any.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		if port, free := tryPort(); free {
			return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		}
	}
	t.Fatal("there is no free port between 15000 and 32000 on 127.0.0.1")
	return ""
}
