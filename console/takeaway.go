package console

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
	"github.com/tocsin-siem/tocsin/triage/export"
)

// takeaway is a form in which an incident can be taken along.
type takeaway struct{ Format, Title, Path string }

// exporters are the forms, in the order of the page. Printing is the page itself.
var exporters = []struct {
	format, title, suffix, media string
	write                        func(s *server, r *http.Request, in *incident.Incident) ([]byte, error)
}{
	{"json", "JSON, with answers, actions and notes", "json", typeJSON, func(_ *server, _ *http.Request, in *incident.Incident) ([]byte, error) { return export.JSON(in), nil }},
	{"ocsf", "OCSF Incident Finding", "ocsf.json", typeJSON, func(_ *server, _ *http.Request, in *incident.Incident) ([]byte, error) {
		return append(incident.AppendIncident(nil, in, triage.Answer(in), triage.Timeline(in)), '\n'), nil
	}},
	{"ndjson", "Its events as OCSF, one a line", "ndjson", "application/x-ndjson", (*server).eventLines},
	{"csv", "Timeline as CSV", "csv", "text/csv; charset=utf-8; header=present", func(_ *server, _ *http.Request, in *incident.Incident) ([]byte, error) { return export.CSV(in), nil }},
	{"stix", "STIX 2.1 bundle", "stix.json", "application/stix+json;version=2.1", func(s *server, _ *http.Request, in *incident.Incident) ([]byte, error) {
		return export.STIX(in, s.set.Source, s.set.URL), nil
	}},
	{"cacao", "CACAO 2.0 playbook of manual steps", "cacao.json", "application/cacao+json;version=2.0", func(s *server, _ *http.Request, in *incident.Incident) ([]byte, error) {
		return export.CACAO(in, s.set.Source), nil
	}},
}

func takeawaysOf(in *incident.Incident) []takeaway {
	var out []takeaway
	for _, x := range exporters {
		out = append(out, takeaway{x.format, x.title, incidentPath(in.ID) + "/export/" + x.format})
	}
	return out
}

// export answers with an incident as a file. A browser keeps it and shows nothing of it.
func (s *server) export(w http.ResponseWriter, r *http.Request) {
	in, err := s.oneIncident(r)
	if err != nil {
		s.problem(w, r, err, "")
		return
	}
	var formats []string
	for _, x := range exporters {
		if x.format != r.PathValue("format") {
			formats = append(formats, x.format)
			continue
		}
		body, err := x.write(s, r, in)
		if err != nil {
			s.problem(w, r, err, incidentPath(in.ID))
			return
		}
		w.Header().Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s.%s"`, event.FormatID(event.IncidentPrefix, in.ID), x.suffix))
		if x.format == "csv" {
			replySheet(w, body)
			return
		}
		reply(w, http.StatusOK, x.media, body)
		return
	}
	s.problem(w, r, fmt.Errorf("%w: an incident is exported as %s, not as %q", errBadRequest, strings.Join(formats, ", "), clip(20, r.PathValue("format"))), incidentPath(in.ID))
}

// maxExported bounds the events of one export.
const maxExported = 2000

// eventLines are the events of the evidence and of the changes, as far as the store still has them and the person may see them, oldest first. The
// raw text is not in it.
func (s *server) eventLines(r *http.Request, in *incident.Incident) ([]byte, error) {
	if s.set.Around == nil {
		return nil, fmt.Errorf("%w: this console reads no events in bulk", errBadRequest)
	}
	var ids []event.ID
	for id := range timesOf(in) {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, event.ID.Compare)
	events, err := s.set.Around.Events(r.Context(), ids[:min(len(ids), maxExported)])
	if err != nil {
		return nil, err
	}
	who := access.From(r.Context())
	var b []byte
	for _, e := range events {
		if who.Sees(sitesOf(e)) {
			b = append(event.AppendOCSF(b, e, false), '\n')
		}
	}
	return b, nil
}
