package broker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tocsin-siem/tocsin/integration/broker"
)

// read returns the records of a partition below next, with a client that is neither ours nor the producer's.
func read(t *testing.T, b *broker.Broker, topic string, next int64, partition int32) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: {partition: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	var records []*kgo.Record
	for at := int64(0); at < next; at = records[len(records)-1].Offset + 1 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatalf("read %s/%d at %d: %v", topic, partition, at, err)
		}
		records = append(records, fetches.Records()...)
	}
	return records
}

func TestAcknowledgedRecordsSurviveKillsOfTheBroker(t *testing.T) {
	const rounds, perRound = 3, 500
	b := broker.Start(t)
	b.CreateTopic("orders", 2, nil)
	for round := range rounds {
		w := &kafka.Writer{Addr: kafka.TCP(b.Addr()), Topic: "orders", RequiredAcks: kafka.RequireAll, BatchTimeout: time.Millisecond, ReadTimeout: 2 * time.Minute, WriteTimeout: 2 * time.Minute, Balancer: &kafka.RoundRobin{}}
		var records []kafka.Message
		for i := range perRound {
			records = append(records, kafka.Message{Value: fmt.Appendf(nil, "%d/%d", round, i)})
		}
		if err := w.WriteMessages(t.Context(), records...); err != nil {
			t.Fatal(err)
		}
		w.Close()
		pid := b.PID()
		b.Kill()
		if conn, err := net.Dial("tcp", b.Addr()); err == nil {
			conn.Close()
			t.Error("something still listens after the kill")
		}
		b.Restart()
		t.Logf("killed broker %d with %d records acknowledged; %d runs now", pid, (round+1)*perRound, b.PID())
	}
	seen := map[string]int{}
	_, next := b.Offsets("orders")
	for partition := range next {
		for _, m := range read(t, b, "orders", next[partition], int32(partition)) {
			seen[string(m.Value)]++
		}
	}
	for round := range rounds {
		for i := range perRound {
			if n := seen[fmt.Sprintf("%d/%d", round, i)]; n != 1 {
				t.Errorf("record %d/%d is there %d times", round, i, n)
			}
		}
	}
	if len(seen) != rounds*perRound {
		t.Errorf("%d records are there, %d were acknowledged", len(seen), rounds*perRound)
	}
}

func TestAPausedBrokerAnswersNothingUntilItIsResumed(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("orders", 1, nil)
	b.Pause()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	client := &kafka.Client{Addr: kafka.TCP(b.Addr())}
	if _, err := client.ApiVersions(ctx, &kafka.ApiVersionsRequest{}); err == nil {
		t.Error("it answers while it is paused")
	}
	b.Resume()
	_, next := b.Offsets("orders")
	if len(next) != 1 || next[0] != 0 {
		t.Errorf("after it is resumed the topic ends at %v", next)
	}
}

func TestATopicIsCreatedWithItsSettingsAndDeleted(t *testing.T) {
	b := broker.Start(t)
	b.CreateTopic("orders", 3, map[string]string{"retention.ms": "12345"})
	client := &kafka.Client{Addr: kafka.TCP(b.Addr())}
	answer, err := client.DescribeConfigs(t.Context(), &kafka.DescribeConfigsRequest{Resources: []kafka.DescribeConfigRequestResource{{
		ResourceType: kafka.ResourceTypeTopic, ResourceName: "orders", ConfigNames: []string{"retention.ms"},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if got := answer.Resources[0].ConfigEntries[0].ConfigValue; got != "12345" {
		t.Errorf("retention.ms is %q", got)
	}
	b.DeleteTopic("orders")
	b.CreateTopic("orders", 1, nil)
	if _, next := b.Offsets("orders"); len(next) != 1 {
		t.Errorf("created again with one partition it has %d", len(next))
	}
}

// TestTheBrokerDiesWithTheTestProcess starts a second test process that starts a broker, and kills that process as nothing in it could notice.
func TestTheBrokerDiesWithTheTestProcess(t *testing.T) {
	const role = "TOCSIN_BROKER_OWNER"
	b := broker.Start(t)
	if os.Getenv(role) != "" {
		fmt.Printf("broker %d\n", b.PID())
		<-t.Context().Done()
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	owner := exec.CommandContext(t.Context(), self, "-test.run", "^"+t.Name()+"$", "-test.v")
	owner.Env = append(os.Environ(), role+"=1")
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	pid := 0
	for lines := bufio.NewScanner(out); pid == 0 && lines.Scan(); {
		if _, n, found := strings.Cut(lines.Text(), "broker "); found {
			pid, _ = strconv.Atoi(n)
		}
	}
	if pid == 0 {
		t.Fatal("the second test process did not start a broker")
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	for deadline := time.After(3 * time.Minute); ; {
		if gone(pid) {
			return
		}
		select {
		case <-deadline:
			_ = syscall.Kill(pid, syscall.SIGKILL)
			t.Fatal("the broker outlived the test process that had started it")
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// gone says whether a process has ended; a zombie that nobody has buried yet has.
func gone(pid int) bool {
	if err := syscall.Kill(pid, 0); errors.Is(err, syscall.ESRCH) {
		return true
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return errors.Is(err, os.ErrNotExist) || strings.Contains(string(stat), ") Z ")
}
