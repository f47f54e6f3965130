package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
)

// Entities is what is known of users, robots, devices, addresses and zones. ErrNotFound means that there is no such thing; what events alone
// speak of is found.
type Entities interface {
	// Card is what the tables say of an entity, and its bindings at an instant (event time, microseconds).
	Card(ctx context.Context, id string, at int64) (Card, error)
	// Activity counts the events that name an entity by stretches of width microseconds and by class, and those of its peers by class.
	Activity(ctx context.Context, id string, peers []string, from, to, width int64) ([]Activity, error)
}

// Card is what is known of an entity.
type Card struct {
	ID       string
	Kind     string // user, robot, device, ip, zone …
	Site     string
	Known    bool     // A table has it.
	Facts    []Trait  // What the tables say.
	Traits   []Trait  // What events said last, and is compared with the peers'.
	Bound    []Bound  // What was bound to it at the instant.
	Members  []string // Of a zone: its machines.
	Peers    []Peer   // Machines like it, without itself.
	PeersWhy string   // In what they are like it.
}

// Bound is a binding between two names.
type Bound struct {
	Relation     string // ip-device, device-user …
	Name, Entity string
	Since, Until int64 // Event time, microseconds.
	Source       string
	Confidence   uint8 // Per cent.
}

// Peer is a machine like another.
type Peer struct {
	ID     string
	Traits []Trait
}

// Activity is how many events named an entity in a stretch of time, by class.
type Activity struct {
	Peers bool  // Of all the peers together, over the whole time.
	Start int64 // Microseconds; 0 for the peers.
	Class string
	Count int64
}

const (
	activitySpan  = 30 * 24 * time.Hour
	activityWidth = 12 * time.Hour
	entityEvents  = 15
	entityHeads   = 50
	entityChanges = 20
	relatedShown  = 20
	relatedEvents = 20 // Each lies somewhere else, and what lies around it is read with it.
	maxPeers      = 20 // Those whose events are counted; what they have is compared of all.
)

func (s *server) entityRoutes() []route {
	if s.set.Entities == nil || s.set.Hunter == nil || s.set.Fleet == nil || s.set.Notes == nil {
		return nil
	}
	return []route{{"GET /entities/{id}", access.Viewer, s.entity}, {"GET /api/v1/entities/{id}", access.Viewer, s.apiEntity}}
}

type entityPage struct {
	layout
	Card     Card
	Histo    *histogram
	Classes  []classRow
	Working  []Head // Incidents that are open or acknowledged.
	Past     []Head
	Changes  []changeRow
	Events   []huntRow
	Related  []related
	Unlike   []unlike
	Hunt     string // Address of a hunt for it.
	ChangesP string // Address of its changes.
	Slow     string // Why something is missing.
	Peers    int
	At       int64
}

// classRow is how many events of a class named an entity, and its peers on average.
type classRow struct {
	Class  string `json:"class"`
	Count  int64  `json:"count"`
	Peers  string `json:"peers,omitempty"` // On average, to one digit.
	Unlike bool   `json:"unlike,omitempty"`
	Path   string `json:"-"`
}

// related is an entity that the latest events name beside this one.
type related struct {
	ID    string `json:"id"`
	Count int    `json:"events"` // Of the latest.
}

// Path is its page.
func (r related) Path() string { return entityPath(r.ID) }

// unlike is a trait beside what is usual among the peers.
type unlike struct {
	Trait
	Usual string `json:"usual"` // The most common value among the peers; "" if they are silent.
	With  int    `json:"with"`  // How many peers have this value,
	Of    int    `json:"of"`    // of those that have one.
	Odd   bool   `json:"odd"`   // It has another value than most.
}

// sight reads everything about an entity that its page shows. What takes too long is left out, and Slow says so.
func (s *server) sight(r *http.Request) (entityPage, error) {
	id := r.PathValue("id")
	p := entityPage{At: s.set.Now()}
	if v := r.URL.Query().Get("at"); v != "" {
		var err error
		if p.At, err = timeOf(v); err != nil {
			return p, err
		}
	}
	if entityPath(id) == "" {
		return p, noEntity(id)
	}
	var err error
	if p.Card, err = s.set.Entities.Card(r.Context(), id, p.At); err != nil {
		return p, err
	}
	who := access.From(r.Context())
	if !who.Sees(siteList(p.Card.Site)) {
		return p, fmt.Errorf("%w: nothing is known of %s", ErrNotFound, id)
	}
	p.layout = s.layout(r, bare(p.Card.ID), "")
	p.Hunt, p.ChangesP = question{}.with("entity", p.Card.ID, "range", "30d").path(), "/changes?"+question{}.with("entity", p.Card.ID).Query()
	if zone, ok := strings.CutPrefix(p.Card.ID, "zone:"); ok {
		v, _ := clauses(event.FieldByPath("src_endpoint.zone"), zone)
		p.Hunt = question{}.with("q", v, "range", "30d").path()
	}
	return p, s.fill(r.Context(), who, &p)
}

// fill reads what the page has beside the card, all at once.
func (s *server) fill(ctx context.Context, who access.Person, p *entityPage) error {
	errs := make(chan error, 4)
	go func() { errs <- s.fillActivity(ctx, who, p) }()
	go func() { errs <- s.fillEvents(ctx, who, p) }()
	go func() { errs <- s.fillHeads(ctx, who, p) }()
	go func() { errs <- s.fillChanges(ctx, who, p) }()
	var all []error
	for range cap(errs) {
		if err := <-errs; errors.Is(err, ErrQuestion) {
			p.Slow = sayOf(http.StatusBadRequest, err)
		} else if err != nil {
			all = append(all, err)
		}
	}
	p.Unlike = unlikePeers(p.Card)
	p.Peers = len(p.Card.Peers)
	return errors.Join(all...)
}

func (s *server) fillActivity(ctx context.Context, who access.Person, p *entityPage) error {
	if who.Sites != nil && p.Card.Site == "" { // Counts from the index know no sites.
		return nil
	}
	var alike []string
	for _, peer := range p.Card.Peers[:min(len(p.Card.Peers), maxPeers)] {
		alike = append(alike, peer.ID)
	}
	list, err := s.set.Entities.Activity(ctx, p.Card.ID, alike, p.At-activitySpan.Microseconds(), p.At, activityWidth.Microseconds())
	if err != nil {
		return err
	}
	var buckets []Bucket
	own, peers := map[string]int64{}, map[string]int64{}
	for _, a := range list {
		if a.Peers {
			peers[a.Class] += a.Count
			continue
		}
		own[a.Class] += a.Count
		if n := len(buckets); n > 0 && buckets[n-1].Start == a.Start {
			buckets[n-1].Count += a.Count
			continue
		}
		buckets = append(buckets, Bucket{a.Start, a.Count})
	}
	if len(buckets) > 0 {
		p.Histo = draw(buckets, p.At-activitySpan.Microseconds(), p.At, activityWidth.Microseconds())
		for i := range p.Histo.Bars {
			b := &p.Histo.Bars[i]
			b.Href = question{}.with("entity", p.Card.ID, "from", stamp(b.From, time.RFC3339Nano), "to", stamp(b.To, time.RFC3339Nano)).path()
		}
	}
	p.Classes = classRows(p.Card.ID, own, peers, len(alike))
	return nil
}

// classRows compares an entity's events by class with its peers' on average: more than three times as many, or less than a third, is unlike.
func classRows(id string, own, peers map[string]int64, n int) []classRow {
	var rows []classRow
	for class := range peers {
		if _, has := own[class]; !has {
			own[class] = 0
		}
	}
	for class, count := range own {
		row := classRow{Class: class, Count: count, Path: question{}.with("entity", id, "class", class, "range", "30d").path()}
		if n > 0 {
			mean := float64(peers[class]) / float64(n)
			row.Peers = fmt.Sprintf("%.1f", mean)
			row.Unlike = float64(count) > 3*mean+10 || float64(count) < mean/3-10
		}
		rows = append(rows, row)
	}
	slices.SortFunc(rows, func(a, b classRow) int { return strings.Compare(a.Class, b.Class) })
	return rows
}

func (s *server) fillEvents(ctx context.Context, who access.Person, p *entityPage) error {
	h := Hunt{Entity: p.Card.ID, To: p.At, Sites: who.Sites, Limit: relatedEvents}
	if zone, ok := strings.CutPrefix(p.Card.ID, "zone:"); ok {
		h.Entity = ""
		h.Expression, _ = clauses(event.FieldByPath("src_endpoint.zone"), zone)
		h.From = p.At - activitySpan.Microseconds()
	}
	found, err := s.set.Hunter.Hunt(ctx, h)
	if err != nil {
		return err
	}
	counts := map[string]int{}
	for i, e := range found.Events {
		if i < entityEvents {
			p.Events = append(p.Events, huntRow{Event: e, Pivots: pivotsOf(e)})
		}
		for _, x := range pivotsOf(e) {
			if x.Name != p.Card.ID {
				counts[x.Name]++
			}
		}
	}
	for id, n := range counts {
		p.Related = append(p.Related, related{id, n})
	}
	slices.SortFunc(p.Related, func(a, b related) int {
		if a.Count != b.Count {
			return b.Count - a.Count
		}
		return strings.Compare(a.ID, b.ID)
	})
	p.Related = p.Related[:min(len(p.Related), relatedShown)]
	return nil
}

func (s *server) fillHeads(ctx context.Context, who access.Person, p *entityPage) error {
	if p.Card.Kind == "zone" {
		return nil
	}
	heads, err := s.set.Fleet.Heads(ctx, HeadQuery{Entity: p.Card.ID, Limit: entityHeads})
	for _, h := range heads {
		switch {
		case !who.Sees(h.Sites):
		case h.Status == "open" || h.Status == "acknowledged":
			p.Working = append(p.Working, h)
		case h.Status != "merged":
			p.Past = append(p.Past, h)
		}
	}
	return err
}

func (s *server) fillChanges(ctx context.Context, who access.Person, p *entityPage) error {
	of := []string{p.Card.ID}
	if p.Card.Kind == "zone" {
		of = p.Card.Members
	}
	if len(of) == 0 {
		return nil
	}
	list, err := s.set.Notes.Notes(ctx, NoteQuery{Entities: of, To: p.At, Limit: entityChanges})
	for _, n := range list {
		if n.Ref == nil || who.Sees(siteList(n.Ref.Site)) {
			p.Changes = append(p.Changes, changeRow{Note: n})
		}
	}
	return err
}

// unlikePeers holds what an entity has against what is usual among its peers.
func unlikePeers(c Card) []unlike {
	var out []unlike
	for _, t := range c.Traits {
		if t.Name == "address" { // Everybody has one of their own.
			continue
		}
		u := unlike{Trait: t}
		counts := map[string]int{}
		for _, peer := range c.Peers {
			for _, x := range peer.Traits {
				if x.Name == t.Name && x.Value != "" {
					counts[x.Value]++
					u.Of++
				}
			}
		}
		for value, n := range counts {
			if most := counts[u.Usual]; n > most || n == most && (value == t.Value || value < u.Usual && u.Usual != t.Value) {
				u.Usual = value
			}
		}
		u.With = counts[t.Value]
		u.Odd = u.Of > 0 && u.Usual != t.Value
		out = append(out, u)
	}
	return out
}

func (s *server) entity(w http.ResponseWriter, r *http.Request) {
	p, err := s.sight(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	s.page(w, "entity", http.StatusOK, p)
}

func (s *server) apiEntity(w http.ResponseWriter, r *http.Request) {
	p, err := s.sight(r)
	if err != nil {
		s.apiProblem(w, err)
		return
	}
	ids := func(heads []Head) []string {
		out := make([]string, 0, len(heads))
		for _, h := range heads {
			out = append(out, event.FormatID(event.IncidentPrefix, h.ID))
		}
		return out
	}
	apiReply(w, http.StatusOK, map[string]any{
		"id": p.Card.ID, "kind": p.Card.Kind, "site": p.Card.Site, "known": p.Card.Known, "facts": p.Card.Facts, "last_seen": p.Card.Traits, "peers": p.Unlike, "peers_by": p.Card.PeersWhy,
		"activity": p.Classes, "related": p.Related, "incidents": ids(p.Working), "past_incidents": ids(p.Past), "members": p.Card.Members,
	})
}
