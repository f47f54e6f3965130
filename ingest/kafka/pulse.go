package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol"
	"github.com/segmentio/kafka-go/protocol/findcoordinator"
	"github.com/segmentio/kafka-go/protocol/heartbeat"
	"github.com/segmentio/kafka-go/protocol/offsetfetch"
)

// desk is a link to a group's coordinator, opened when it is needed. It is for one goroutine.
type desk struct {
	cluster *Cluster
	group   string
	link    *link
}

// ask sends a request to the coordinator. After an error of the network, and when answer says that the coordinator is another one, the next call opens a
// new link.
func (d *desk) ask(ctx context.Context, req protocol.Message) (protocol.Message, error) {
	if d.link == nil {
		l, err := d.cluster.coordinator(ctx, d.group)
		if err != nil {
			return nil, err
		}
		d.link = l
	}
	answer, err := d.link.ask(ctx, req)
	if err != nil {
		d.close()
	}
	return answer, err
}

func (d *desk) close() {
	if d.link != nil {
		_ = d.link.raw.Close()
		d.link = nil
	}
}

// pulse sends heartbeats over a link of its own.
type pulse struct {
	session *session
	desk
}

func newPulse(s *session) *pulse {
	return &pulse{s, desk{cluster: s.group.cluster, group: s.group.set.Group}}
}

// beat sends one heartbeat. What the group answers decides about the lease or the session; an error of the network decides nothing.
func (p *pulse) beat(ctx context.Context) error {
	s := p.session
	ctx, enough := context.WithTimeout(ctx, max(s.group.set.Session/3, 100*time.Millisecond))
	defer enough()
	sent := time.Since(s.began)
	answer, err := p.ask(ctx, &heartbeat.Request{GroupID: s.group.set.Group, GenerationID: s.gen.ID, MemberID: s.gen.MemberID})
	if err != nil {
		return err
	}
	switch code := kafka.Error(answer.(*heartbeat.Response).ErrorCode); {
	case code == 0:
		s.lease.Store(int64(sent + s.group.set.Session))
		return nil
	case code == kafka.RebalanceInProgress: // We are still a member, and the claims may end in good order.
		s.lease.Store(int64(sent + s.group.set.Session))
		s.cancel(errRebalance)
		return nil
	case expelled(code):
		s.lease.Store(0)
		s.cancel(errExpelled)
		return code
	default: // The coordinator has moved or is starting.
		p.close()
		return code
	}
}

// expelled reports whether an error is the group's word that it does without us.
func expelled(err error) bool {
	return errors.Is(err, kafka.IllegalGeneration) || errors.Is(err, kafka.UnknownMemberId) || errors.Is(err, kafka.FencedInstanceID)
}

// starting reports whether an error is that of a coordinator that is not there yet, or no longer.
func starting(err error) bool {
	return errors.Is(err, kafka.GroupCoordinatorNotAvailable) || errors.Is(err, kafka.GroupLoadInProgress) || errors.Is(err, kafka.NotCoordinatorForGroup)
}

// reunite waits, after a generation, until the group answers again, and keeps us a member meanwhile. kafka-go is still waiting for the generation to
// end; let go while the coordinator is away it would forget who it is in the group and join as somebody new, and the group would wait for who we
// were until that session has run out.
func (s *session) reunite(ctx context.Context) {
	p := newPulse(s)
	defer p.close()
	for ctx.Err() == nil {
		err := p.present(ctx)
		if err == nil {
			err = p.beat(ctx)
		}
		if _, answered := errors.AsType[kafka.Error](err); err == nil || ctx.Err() != nil || answered && !starting(err) {
			return
		}
		s.group.trouble(err)
		pause(ctx, min(s.group.set.Session/20, 250*time.Millisecond))
	}
}

// present asks for no offsets. A coordinator that is still reading what it knows of the group says so then; a heartbeat it would just confirm.
func (p *pulse) present(ctx context.Context) error {
	answer, err := p.ask(ctx, &offsetfetch.Request{GroupID: p.group, Topics: []offsetfetch.RequestTopic{}})
	if err != nil {
		return err
	}
	if code := answer.(*offsetfetch.Response).ErrorCode; code != 0 {
		p.close()
		return kafka.Error(code)
	}
	return nil
}

// coordinator opens a link to the coordinator of a group.
func (c *Cluster) coordinator(ctx context.Context, group string) (*link, error) {
	l, err := c.anyBroker(ctx)
	if err != nil {
		return nil, err
	}
	defer l.raw.Close()
	answer, err := l.ask(ctx, &findcoordinator.Request{Key: group})
	if err != nil {
		return nil, err
	}
	res := answer.(*findcoordinator.Response)
	if res.ErrorCode != 0 {
		return nil, fmt.Errorf("coordinator of group %s: %w", group, kafka.Error(res.ErrorCode))
	}
	return c.connect(ctx, net.JoinHostPort(res.Host, strconv.Itoa(int(res.Port))))
}
