package adapter

import (
	"encoding/json"
	"fmt"
)

type splunkEvent struct {
	Time       json.Number       `json:"time"` // Unix seconds with milliseconds.
	Host       string            `json:"host,omitempty"`
	Source     string            `json:"source"`
	Sourcetype string            `json:"sourcetype"`
	Event      *Envelope         `json:"event"`
	Fields     map[string]string `json:"fields"` // Indexed by Splunk.
}

// splunk wraps the letter for the HTTP Event Collector.
func splunk(l *Letter, o Options) Parcel {
	in := l.about()
	at := moment(l.Time)
	e := splunkEvent{
		Time: json.Number(fmt.Sprintf("%d.%03d", at.Unix(), at.Nanosecond()/1e6)), Host: line(o.Host), Source: line(l.Source), Sourcetype: "tocsin:incident", Event: &l.Envelope,
		Fields: map[string]string{"incident": in.ID, "severity": in.Severity, "status": in.Status, "kind": l.kind()},
	}
	return Parcel{ContentType: typeJSON, Body: Encode(e), Key: in.ID, Header: map[string]string{"Authorization": "Splunk " + o.Token}}
}
