// Package llm lets a language model re-word what the rules found about an incident. The deterministic summary (package triage) always exists and
// stands first; this is an overlay on it. A model sees a closed pack of facts under aliases and pseudonyms and nothing an outsider wrote; it has no
// tools, no status and no severity to set; each claim cites lines of the pack, and a verifier drops what cannot be proven. Whatever goes wrong,
// the page is the deterministic one with a note.
package llm

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// Model is one model at one server. It is safe for concurrent use.
type Model struct {
	cfg    triage.ModelConfig
	client *client
}

// Open makes a model of a checked configuration. It reads the key and connects to nothing.
func Open(cfg triage.ModelConfig) (*Model, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	c, err := newClient(cfg)
	if err != nil {
		return nil, err
	}
	return &Model{cfg: cfg, client: c}, nil
}

// Outcome is what came of one question.
type Outcome struct {
	Overlay *triage.Overlay // nil if nothing is to be shown.
	Report  Report          // What the verifier did.
	Failure Failure         // "" if the overlay is there.
	Detail  string          // Of the failure, in words.
	Usage   Usage
	Tries   int // Packs asked about: 2 if the first answer was cut off.
	Mode    string
	Wait    time.Duration // What a busy server asked to wait.
}

// Pack is the pack of an incident as the model is asked about it, and Half the smaller one for an answer that was cut off.
func (m *Model) Pack(in *incident.Incident) *Pack { return Build(in, OptionsOf(m.cfg)) }

// OptionsOf are the options that a configuration means. Two thirds of the question are the pack; the instructions take the rest.
func OptionsOf(cfg triage.ModelConfig) Options {
	return Options{Chars: cfg.InputTokens * charsEach * 2 / 3, Free: cfg.FreeText, Names: cfg.Names}
}

// Key identifies what is asked: canonical pack, versions of prompt and schema, model and parameters.
func (m *Model) Key(p *Pack) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s|%s|%s|%s|%s|%d|%s|1e-6|1", p.Hash(), promptVersion, schemaVersion, m.cfg.URL, m.cfg.Model, m.cfg.OutputTokens, m.cfg.Mode))
	return hex.EncodeToString(sum[:])
}

// Ask asks about an incident and verifies the answer. The error is ctx's and nothing else: every failure of the model is an outcome.
func (m *Model) Ask(ctx context.Context, in *incident.Incident) (Outcome, error) {
	o := OptionsOf(m.cfg)
	var out Outcome
	for out.Tries = 1; ; out.Tries++ {
		p := Build(in, o)
		content, used, err := m.client.ask(ctx, p)
		out.Usage.add(used)
		out.Mode = mode(m.client.rung.Load()).String()
		fail, failed := errors.AsType[*askError](err)
		if err != nil && !failed {
			return out, err
		}
		if failed {
			if fail.failure == FailCut && out.Tries == 1 {
				o.Chars /= 2
				continue
			}
			out.Failure, out.Detail, out.Wait = fail.failure, fail.Error(), fail.wait
			return out, nil
		}
		out.Overlay, out.Report = Verify(p, content)
		if out.Overlay == nil {
			out.Failure, out.Detail = FailUnproven, out.Report.Fallback
			return out, nil
		}
		out.Overlay.Incident, out.Overlay.Revision, out.Overlay.Model = in.ID, in.Revision, m.cfg.Model
		out.Overlay.Rules = triage.Answer(in).Assessment
		return out, nil
	}
}

// Note says to people why there is no model's summary.
func (f Failure) Note(detail string) string {
	switch f {
	case FailTimeout:
		return "The model did not answer in time; this is the deterministic summary."
	case FailBusy:
		return "The model's server was busy; this is the deterministic summary."
	case FailRefusal:
		return "The model refused to answer; this is the deterministic summary."
	case FailCut:
		return "The model's answer was cut off; this is the deterministic summary."
	case FailUnproven:
		return "The model's answer is not shown: " + detail + ". This is the deterministic summary."
	case FailBudget:
		return "Today's budget for the model is used up; this is the deterministic summary."
	case FailBreaker:
		return "The model failed several times in a row and rests; this is the deterministic summary."
	}
	return "The model could not be asked; this is the deterministic summary."
}
