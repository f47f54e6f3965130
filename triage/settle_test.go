package triage_test

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

func TestDeliveriesMadeOneAfterTheOtherAreSettledTogether(t *testing.T) {
	hook := newReceiver(t, func(got) int { return 204 })
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		for n := range 150 {
			o.record(revision(n, 1, incident.ChangeOpened))
		}
		_, stop := desk(t, cfg, o)
		time.Sleep(time.Minute)
		stop()
		if got := o.states()[incident.DeliveryDone]; got != 150 || len(hook.all(t)) != 150 {
			t.Errorf("%d of 150 settled, %d sent", got, len(hook.all(t)))
		}
		if len(o.batches) > 6 || slices.Max(o.batches) > 64 {
			t.Errorf("settled in parts of %v, want few, none above 64", o.batches)
		}
	})
}

func TestASlowEndpointDoesNotKeepDeliveriesFromBeingSettled(t *testing.T) {
	hang := make(chan struct{})
	n := 0
	hook := newReceiver(t, func(got) int {
		if n++; n == 5 {
			hang <- struct{}{} // the second four
			<-hang
		}
		return 204
	})
	o := &outbox{state: map[event.ID]incident.Delivery{}, settled: make(chan struct{}, 1)}
	for n := range 8 {
		o.record(revision(n, 1, incident.ChangeOpened))
	}
	_, stop := desk(t, config(t, hook.URL), o)
	<-hang
	<-o.settled // while the fifth is not answered
	hang <- struct{}{}
	<-o.settled
	stop()
	if got := o.states()[incident.DeliveryDone]; got != 8 || o.batches[0] != 4 {
		t.Errorf("%d of 8 settled, in parts of %v, want the first four before the others are answered", got, o.batches)
	}
}

func TestWhatWasDeliveredBeforeAStopIsSettled(t *testing.T) {
	reached := make(chan struct{})
	n := 0
	hook := newReceiver(t, func(got) int {
		if n++; n == 5 {
			close(reached)
		}
		return 204
	})
	o := &outbox{state: map[event.ID]incident.Delivery{}}
	for n := range 100 {
		o.record(revision(n, 1, incident.ChangeOpened))
	}
	_, stop := desk(t, config(t, hook.URL), o)
	<-reached
	stop()
	if got := o.states()[incident.DeliveryDone]; got < 4 {
		t.Errorf("%d settled, want at least the four that had been answered", got)
	}
}

func TestFailedAttemptsAreSettledTogetherAndStayPending(t *testing.T) {
	hook := newReceiver(t, func(got) int { return 500 })
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		for n := range 8 {
			o.record(revision(n, 1, incident.ChangeOpened))
		}
		_, stop := desk(t, cfg, o)
		time.Sleep(time.Second)
		stop()
		if o.states()[incident.DeliveryPending] != 8 || !slices.Equal(o.batches, []int{8}) {
			t.Errorf("states %v in parts of %v, want eight pending in one", o.states(), o.batches)
		}
		for _, d := range o.state {
			if d.Attempts != 1 || d.Next == 0 || d.Error == "" {
				t.Errorf("an attempt was recorded as %+v", d)
			}
		}
	})
}

func TestAnEndpointIsStartingUntilWhatItIsOwedIsKnown(t *testing.T) {
	hook := newReceiver(t, func(got) int { return 500 })
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		o.fail(true)
		d, stop := desk(t, cfg, o)
		synctest.Wait()
		if s := d.Endpoints()[0]; s.State != triage.Starting {
			t.Errorf("before the first look: %+v", s)
		}
		o.fail(false)
		time.Sleep(time.Minute)
		if s := d.Endpoints()[0]; s.State != "ok" || s.Pending != 0 {
			t.Errorf("after it: %+v", s)
		}
		stop()
	})
}

func TestAnOutageOfTheStoreIsWarnedOfOnceAndItsEndIsTold(t *testing.T) {
	hook := newReceiver(t, func(got) int { return 204 })
	inBubble(t, hook.URL, func(t *testing.T, cfg triage.Config) {
		var log bytes.Buffer
		o := &outbox{state: map[event.ID]incident.Delivery{}}
		o.fail(true)
		set := settings()
		set.Log = slog.New(slog.NewTextHandler(&log, nil))
		d, err := triage.NewDesk(cfg, set, o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- d.Run(ctx) }()
		time.Sleep(time.Hour)
		o.fail(false)
		time.Sleep(time.Minute)
		cancel()
		<-done
		for text, want := range map[string]int{"level=ERROR": 0, "level=WARN": 1, "the outbox cannot be used": 1, "the outbox can be used again": 1} {
			if n := strings.Count(log.String(), text); n != want {
				t.Errorf("%q is logged %d times, want %d:\n%s", text, n, want, log.String())
			}
		}
	})
}
