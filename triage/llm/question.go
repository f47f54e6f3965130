package llm

import "encoding/json"

// Question is what a model is sent about a pack, for people who want to see it.
type Question struct {
	Instructions string          `json:"instructions"`
	Evidence     string          `json:"evidence"`
	Schema       json.RawMessage `json:"schema"`
	Hash         string          `json:"hash"` // Of the evidence.
}

// Question gives what is sent to a server that enforces schemas.
func (p *Pack) Question() Question {
	instructions, evidence := question(p, modeSchema)
	return Question{Instructions: instructions, Evidence: evidence, Schema: schemaOf(p, true), Hash: p.Hash()}
}
