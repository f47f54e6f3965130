package adapter

import "bytes"

// ocsfIncident is the incident as an OCSF Incident Finding (class 2005).
func ocsfIncident(l *Letter, _ Options) Parcel {
	return Parcel{ContentType: typeJSON, Body: escapeHidden(l.OCSF()), Key: l.about().ID}
}

// ocsfDetections is an array of the incident's findings, each an OCSF Detection Finding (class 2004).
func ocsfDetections(l *Letter, _ Options) Parcel {
	body := append([]byte{'['}, bytes.Join(l.Detections(), []byte{','})...)
	return Parcel{ContentType: typeJSON, Body: escapeHidden(append(body, ']')), Key: l.about().ID}
}
