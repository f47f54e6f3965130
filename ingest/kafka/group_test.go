package kafka_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

func group(topics ...string) kafka.GroupSettings {
	return kafka.GroupSettings{Group: "g", Topics: topics, Session: 6 * time.Second, Discover: time.Second}
}

// consume runs own as a member of the group until the result's stop is called.
func (w *world) consume(set kafka.GroupSettings, own func(context.Context, *kafka.Claim) error) (stop func() error) {
	c := w.connect()
	ctx, cancel := context.WithCancel(w.t.Context())
	ended := make(chan error, 1)
	go func() {
		err := c.Consume(ctx, set, own)
		c.Close()
		ended <- err
	}()
	return func() error { cancel(); return <-ended }
}

func TestCommitsGoOutAtMostOnceASecondAndSayOnlyWhatWasSaid(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 3)
		type commit struct {
			at      time.Time
			offsets map[int32]int64
		}
		var mu sync.Mutex
		var commits []commit
		w.broker.ControlKey(int16(kmsg.OffsetCommit), func(r kmsg.Request) (kmsg.Response, error, bool) {
			c := commit{time.Now(), map[int32]int64{}}
			for _, topic := range r.(*kmsg.OffsetCommitRequest).Topics {
				for _, p := range topic.Partitions {
					c.offsets[p.Partition] = p.Offset
				}
			}
			mu.Lock()
			commits = append(commits, c)
			mu.Unlock()
			return nil, nil, false
		})
		var said [3]atomic.Int64
		stop := w.consume(group("logs"), func(ctx context.Context, claim *kafka.Claim) error {
			if claim.Partition == 2 {
				<-ctx.Done() // Says nothing.
				return nil
			}
			rng := rand.New(rand.NewPCG(uint64(claim.Partition), 1))
			for n := int64(1); ctx.Err() == nil; n++ {
				said[claim.Partition].Store(n)
				claim.Commit(n)
				time.Sleep(time.Duration(rng.IntN(50)) * time.Millisecond)
			}
			claim.Commit(1_000_000) // The last word, after the claim has lost its partition and before own returns.
			return nil
		})
		time.Sleep(30 * time.Second)
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		if len(commits) < 25 {
			t.Fatalf("%d commits in 30 s", len(commits))
		}
		last := commits[len(commits)-1]
		for i, c := range commits[:len(commits)-1] {
			if i > 0 && c.at.Sub(commits[i-1].at) < time.Second {
				t.Errorf("commits %d and %d are %v apart", i-1, i, c.at.Sub(commits[i-1].at))
			}
			for p, offset := range c.offsets {
				if p == 2 || offset > said[p].Load() || offset < 1 {
					t.Errorf("partition %d: committed %d", p, offset)
				}
			}
		}
		if last.offsets[0] != 1_000_000 || last.offsets[1] != 1_000_000 {
			t.Errorf("the last commit is %v", last.offsets)
		}
	})
}

func TestAGenerationIsNotLeftUntilAllOfItsClaimsHaveReturned(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 4)
		var mu sync.Mutex
		owners := map[int32]int{}
		twice := 0
		own := func(ctx context.Context, claim *kafka.Claim) error {
			mu.Lock()
			if owners[claim.Partition]++; owners[claim.Partition] > 1 {
				twice++
			}
			mu.Unlock()
			<-ctx.Done()
			time.Sleep(2 * time.Second) // Takes its time.
			mu.Lock()
			owners[claim.Partition]--
			mu.Unlock()
			return nil
		}
		var stops []func() error
		for range 3 {
			stops = append(stops, w.consume(group("logs"), own))
			time.Sleep(15 * time.Second)
			synctest.Wait()
			mu.Lock()
			held := 0
			for _, n := range owners {
				held += n
			}
			mu.Unlock()
			if held != 4 {
				t.Errorf("%d claims of four partitions", held)
			}
		}
		for _, stop := range stops {
			if err := stop(); err != nil {
				t.Error(err)
			}
		}
		if twice > 0 {
			t.Errorf("a partition had two owners %d times", twice)
		}
	})
}

func TestAnErrorOfAnOwnerEndsConsume(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 2)
		bad := errors.New("cannot go on")
		c := w.connect()
		defer c.Close()
		err := c.Consume(t.Context(), group("logs"), func(ctx context.Context, claim *kafka.Claim) error {
			if claim.Partition == 1 {
				return bad
			}
			<-ctx.Done()
			return nil
		})
		if !errors.Is(err, bad) {
			t.Errorf("Consume: %v", err)
		}
	})
}

func TestAMemberThatWasExpelledCannotCommit(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		claims := make(chan *kafka.Claim, 100)
		own := func(ctx context.Context, claim *kafka.Claim) error {
			claims <- claim
			<-ctx.Done()
			claim.Commit(99)
			return nil
		}
		stop := w.consume(group("logs"), own)
		first := <-claims
		info, err := w.broker.WaitGroupStable(t.Context(), "g", 1)
		if err != nil {
			t.Fatal(err)
		}
		leave := kmsg.NewPtrLeaveGroupRequest()
		leave.Group = "g"
		member := kmsg.NewLeaveGroupRequestMember()
		member.MemberID = info.Members[0].MemberID
		leave.Members = append(leave.Members, member)
		client := w.raw()
		if _, err := leave.RequestWith(t.Context(), client); err != nil {
			t.Fatal(err)
		}
		client.Close()
		second := <-claims
		if second.Generation <= first.Generation {
			t.Errorf("generation %d after %d", second.Generation, first.Generation)
		}
		if second.Committed != -1 || len(w.committed("logs")) != 0 {
			t.Errorf("committed %d", second.Committed)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
		if got := w.committed("logs")[0]; got != 99 {
			t.Errorf("committed %d after a good end", got)
		}
	})
}

func TestASessionTheBrokersRefuseIsExplained(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		set := group("logs")
		set.Session = 100 * time.Millisecond
		c := w.connect()
		defer c.Close()
		if err := c.Consume(t.Context(), set, func(context.Context, *kafka.Claim) error { return nil }); err == nil {
			t.Error("no error")
		}
	})
}

func TestWhatKeepsUsOutOfTheGroupIsToldUntilNothingDoes(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.topic("logs", 1)
		var refused atomic.Bool
		refused.Store(true)
		w.broker.ControlKey(int16(kmsg.JoinGroup), func(r kmsg.Request) (kmsg.Response, error, bool) {
			w.broker.KeepControl()
			if !refused.Load() {
				return nil, nil, false
			}
			res := r.ResponseKind().(*kmsg.JoinGroupResponse)
			res.ErrorCode = kerr.GroupAuthorizationFailed.Code
			return res, nil, true
		})
		told := make(chan string, 100)
		set := group("logs")
		set.Trouble = func(what string) { told <- what }
		owned := make(chan bool)
		stop := w.consume(set, func(ctx context.Context, _ *kafka.Claim) error {
			owned <- true
			<-ctx.Done()
			return nil
		})
		if what := <-told; !strings.Contains(what, "check the account and its ACLs") {
			t.Errorf("told %q", what)
		}
		refused.Store(false)
		<-owned
		last := ""
		for len(told) > 0 {
			last = <-told
		}
		if last != "" {
			t.Errorf("a member of the group is told last: %q", last)
		}
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
}
