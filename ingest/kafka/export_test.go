package kafka

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// SetNetwork makes the cluster open its connections with dial.
func (c *Cluster) SetNetwork(dial func(ctx context.Context, network, address string) (net.Conn, error)) {
	c.network = dial
}

// AssignNames is the balancer's pure part, with partitions as topic/number.
func AssignNames(members []kafka.GroupMember, partitions []string) map[string][]string {
	out := map[string][]string{}
	for id, topics := range assign(slices.Clone(members), placesNamed(partitions)) {
		for topic, list := range topics {
			for _, n := range list {
				out[id] = append(out[id], fmt.Sprint(topic, "/", n))
			}
		}
		slices.Sort(out[id])
	}
	return out
}

// WishNames is the user data of a member that had these partitions.
func WishNames(generation int32, partitions []string) []byte {
	return appendWish(nil, generation, 0, placesNamed(partitions))
}

func placesNamed(names []string) []place {
	var out []place
	for _, name := range names {
		topic, number, _ := strings.Cut(name, "/")
		n, _ := strconv.Atoi(number)
		out = append(out, place{topic, int32(n)})
	}
	return out
}

// ReadWish gives how many partitions user data names.
func ReadWish(b []byte) (int, error) {
	_, owned, err := readWish(b)
	return len(owned), err
}

// Peak is the most bytes that were ever fetched and not handed out.
func (c *Consumer) Peak() int {
	c.budget.mu.Lock()
	defer c.budget.mu.Unlock()
	return c.budget.peak
}

// StandStill makes it seem that the process has stood still for d, and only now goes on.
func (c *Consumer) StandStill(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sources {
		for _, p := range s.order {
			if p.claim != nil {
				p.claim.session.lease.Add(-int64(d))
				return
			}
		}
	}
}

// IdentityRequest is a request for the ids of topics, with its size in front.
func IdentityRequest(number int32, client string, names ...string) []byte {
	return identityRequest(nil, number, client, names)
}

// ParseIdentities reads an answer to it, without its size.
func ParseIdentities(body []byte, number int32) (map[string]string, error) {
	return parseIdentities(body, number)
}

// FetchByID is a request for records of the topic with an id, with its size in front.
func FetchByID(number int32, client string, topic [16]byte, partition int32, offset int64, wait, least, size int32) []byte {
	return fetchByIDRequest(nil, number, client, topic, partition, offset, wait, least, size)
}

// Answer is what was read of one: its error, where the partition begins and ends, its records and how many transactions of it were aborted.
type Answer struct {
	Code                int16
	High, Stable, First int64
	Records             string
	Cut                 bool
	Aborted             [][2]int64
}

// ParseFetchedByID reads an answer, without its size.
func ParseFetchedByID(body []byte, number int32, topic [16]byte, partition int32) (Answer, error) {
	f, err := parseFetchedByID(body, number, topic, partition)
	out := Answer{Code: int16(f.code), High: f.high, Stable: f.stable, First: f.first, Records: string(f.records), Cut: f.cut}
	for _, x := range f.aborted {
		out.Aborted = append(out.Aborted, [2]int64{x.producer, x.first})
	}
	return out, err
}
