package app

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/console"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/store"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/board"
)

// followEvery is how often a process that does not stitch looks for what others have recorded.
const followEvery = time.Second

func (s *Service) newBoard() (*board.Board, error) {
	owner, err := ownerOf(s.cfg.Triage.Routes)
	return board.New(board.Settings{Store: archive{s.db.DB}, Zones: s.zoneOf, Owner: owner, Now: s.now}), err
}

// loadBoard reads what is worked on before the console is served; what is closed comes beside, and so do, where another process records them, changes.
func (s *Service) loadBoard(ctx context.Context) error {
	if err := s.board.Load(ctx); err != nil {
		return fmt.Errorf("load the board of incidents: %w", err)
	}
	s.beside = append(s.beside, func(ctx context.Context) {
		if err := s.board.LoadPast(ctx); err != nil && ctx.Err() == nil {
			s.tel.Log.Error("closed incidents are missing on the board", "err", err)
		}
	})
	if s.set.Role != RoleAll {
		s.beside = append(s.beside, s.followBoard)
	}
	return nil
}

// followBoard takes over what other processes record, and tells the streams.
func (s *Service) followBoard(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	told := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := s.board.Follow(ctx, s.tell)
		if err != nil && ctx.Err() == nil && !told {
			s.tel.Log.Warn("the board of incidents stands still: the store does not give its changes", "err", err)
		}
		told = err != nil
	}
}

func (s *Service) tell(changes []incident.Change) {
	if s.feed != nil {
		s.feed.Publish(changes)
	}
}

// zoneOf is the zone of an entity by the tables of the moment.
func (s *Service) zoneOf(entity string) string {
	tables := s.core.Live.Tables()
	if a, ok := tables.Asset(entity); ok && a.Zone != "" {
		return a.Zone
	}
	if text, isIP := strings.CutPrefix(entity, "ip:"); isIP {
		if ip, err := netip.ParseAddr(text); err == nil {
			z, _ := tables.Zone(ip)
			return z.Name
		}
	}
	return ""
}

// archive is the store as the board reads it.
type archive struct{ db *store.DB }

// Incidents implements board.Store.
func (a archive) Incidents(ctx context.Context, statuses []incident.Status, after board.Place, limit int) ([]*incident.Incident, error) {
	return collect(a.db.Incidents(ctx, store.IncidentFilter{Status: statuses, After: store.IncidentCursor{Updated: after.Updated, ID: after.ID}, Limit: limit}))
}

// Last implements board.Store.
func (a archive) Last(ctx context.Context) (triage.Sequence, error) {
	at, err := a.db.LastChange(ctx)
	return triage.Sequence{Batch: at.Batch, Index: at.Index}, err
}

// Changes implements board.Store.
func (a archive) Changes(ctx context.Context, after triage.Sequence, limit int) ([]incident.Change, error) {
	return reader(a).Changes(ctx, after, limit)
}

// seen is an analyst whose acts are on the board when they return.
type seen struct {
	console.Analyst
	board *board.Board
}

// Act implements console.Analyst.
func (x seen) Act(ctx context.Context, a incident.Action) ([]incident.Change, error) {
	changes, err := x.Analyst.Act(ctx, a)
	x.board.Show(changes)
	return changes, err
}
