package console

import (
	"fmt"
	"net/http"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// suppressionDoc is a suppression as the API has it.
type suppressionDoc struct {
	ID          string     `json:"id,omitempty"`
	Title       string     `json:"title"`
	Expression  string     `json:"expression"`
	Owner       string     `json:"owner"`
	Reason      string     `json:"reason"`
	From        *time.Time `json:"from,omitempty"`
	Until       time.Time  `json:"until"`
	Maintenance bool       `json:"maintenance"`

	State     string     `json:"state,omitempty"`
	By        string     `json:"by,omitempty"`
	At        *time.Time `json:"at,omitempty"`
	Revoked   *time.Time `json:"revoked,omitempty"`
	RevokedBy string     `json:"revoked_by,omitempty"`
	Hits      int64      `json:"hits"`
	Problem   string     `json:"problem,omitempty"`
}

func suppressionDocOf(x suppressionRow) suppressionDoc {
	at := func(micros int64) *time.Time {
		if micros == 0 {
			return nil
		}
		return new(time.UnixMicro(micros).UTC())
	}
	return suppressionDoc{
		ID: event.FormatID(event.SuppressionPrefix, x.ID), Title: x.Title, Expression: x.Expression, Owner: x.Owner, Reason: x.Reason, From: at(x.From),
		Until: time.UnixMicro(x.Until).UTC(), Maintenance: x.Maintenance, State: x.State, By: x.By, At: at(x.At), Revoked: at(x.Revoked), RevokedBy: x.RevokedBy,
		Hits: x.Hits, Problem: x.Broken,
	}
}

func (s *server) apiSuppressions(w http.ResponseWriter, _ *http.Request) {
	out := []suppressionDoc{}
	for _, rows := range [][]suppressionRow{s.suppressionRows(false), s.suppressionRows(true)} {
		for _, x := range rows {
			out = append(out, suppressionDocOf(x))
		}
	}
	apiReply(w, http.StatusOK, out)
}

func (s *server) apiPreview(w http.ResponseWriter, r *http.Request) {
	if access.From(r.Context()).Sites != nil {
		done(w, s.troubleOf(fmt.Errorf("%w: a suppression concerns all sites", errForbidden), nil))
		return
	}
	impact, err := s.set.Suppressions.Preview(r.Context(), r.URL.Query().Get("expression"))
	if err != nil {
		done(w, s.troubleOf(err, nil))
		return
	}
	apiReply(w, http.StatusOK, impact)
}

func (s *server) apiSuppress(w http.ResponseWriter, r *http.Request) {
	s.apiGlobal(w, r, func(body []byte, a *incident.Action) error {
		var d struct {
			Title       string    `json:"title"`
			Expression  string    `json:"expression"`
			Owner       string    `json:"owner"`
			Reason      string    `json:"reason"`
			From        time.Time `json:"from"`
			Until       time.Time `json:"until"`
			Maintenance bool      `json:"maintenance"`
		}
		if err := strictly(body, &d); err != nil {
			return err
		}
		a.Kind = incident.ActionSuppress
		a.Suppression = &incident.Suppression{
			Title: tidied(d.Title), Expression: tidied(d.Expression), Owner: tidied(d.Owner), Reason: tidied(d.Reason), From: micros(d.From), Until: micros(d.Until), Maintenance: d.Maintenance,
		}
		return nil
	})
}

func (s *server) apiUnsuppress(w http.ResponseWriter, r *http.Request) {
	s.apiGlobal(w, r, func(body []byte, a *incident.Action) error {
		if err := strictly(body, &struct{}{}); err != nil {
			return err
		}
		id, err := idOf(r, event.SuppressionPrefix)
		a.Kind, a.Suppression = incident.ActionUnsuppress, &incident.Suppression{ID: id}
		return err
	})
}

// apiGlobal carries out an act that concerns no incident.
func (s *server) apiGlobal(w http.ResponseWriter, r *http.Request, read func([]byte, *incident.Action) error) {
	who := access.From(r.Context())
	err := maySuppress(who)
	var body []byte
	if err == nil {
		body, err = jsonBody(w, r, maxForm)
	}
	if err != nil {
		done(w, s.troubleOf(err, nil))
		return
	}
	a := incident.Action{By: who.Name, At: s.set.Now(), Origin: who.Origin}
	if err := read(body, &a); err != nil {
		done(w, s.troubleOf(fmt.Errorf("%w: %w", errBadRequest, err), nil))
		return
	}
	s.once(w, r, body, func(id event.ID) result {
		a.ID = id
		_, err := s.set.Analyst.Act(r.Context(), a)
		if err != nil {
			return s.troubleOf(err, nil)
		}
		want := id
		if a.Kind == incident.ActionUnsuppress {
			want = a.Suppression.ID
		}
		for _, x := range s.set.Suppressions.Suppressions() {
			if x.ID == want {
				return result{http.StatusOK, suppressionDocOf(heldRow(x, s.set.Now()))}
			}
		}
		return result{http.StatusOK, struct {
			ID string `json:"id"`
		}{event.FormatID(event.SuppressionPrefix, want)}}
	})
}
