package event

// Clone is a copy that shares nothing with e or its record.
func (e *Event) Clone() *Event {
	c := &Event{Envelope: e.Envelope}
	if err := Decode(Append(nil, e), c); err != nil {
		panic("event: a compact event written just now does not read back: " + err.Error()) // a bug of the codec
	}
	c.Envelope.Raw = append([]byte(nil), e.Envelope.Raw...)
	c.Entities = append([]EntityRef(nil), e.Entities...)
	return c
}
