package rules

import (
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/incident"
)

// Rule is one rule as its author wrote it, with the plan the engine runs. Rules are immutable.
type Rule struct {
	ID             string
	Version        int32
	Title          string
	Description    string
	Severity       incident.Severity
	Status         Status
	Tags           []string
	References     []string
	Owner          string
	Response       string
	FalsePositives []string
	Imported       *Imported // Nil: written for us.
	Tests          []Test
	Exceptions     []Exception
	Flood          incident.Flood // Its breaker; Findings 0: the configured one.
	Plan           *Plan
	Upstream       []*Rule // Rules whose findings its steps and guards listen to.
	Depth          int     // How many rules stand behind it at most: 0 if it listens to events alone.
	Component      string  // Where rules listen to each other: the first id of those that do, through any number of them. Empty: it stands alone.

	File string
	Line int    // Where the rule's document starts.
	Hash string // Of what decides what matches, without exceptions, and of what hits carry: rules with the same hash can go on with each other's state. 32 hex digits.
}

// Imported says where a rule comes from that was written in another language. All but Format may be empty; the texts are as they stood there.
type Imported struct {
	Format   string // sigma
	ID       string
	File     string
	Author   string
	License  string
	Status   string
	Date     string
	Modified string
}

// Ref is what findings keep of the rule.
func (r *Rule) Ref() incident.RuleRef {
	return incident.RuleRef{ID: r.ID, Version: r.Version, Title: r.Title, Tags: r.Tags, Owner: r.Owner, Response: r.Response, Flood: r.Flood}
}

// Set is the rules of an instance, in order of their ids. Sets are immutable.
type Set struct {
	Rules []*Rule
	Hash  string // Over everything in the rules' files that is not a comment. 32 hex digits.
	text  *text  // nil: it was not loaded.
}

// Rule finds a rule; nil if there is none.
func (s *Set) Rule(id string) *Rule {
	if i, ok := slices.BinarySearchFunc(s.Rules, id, func(r *Rule, id string) int { return strings.Compare(r.ID, id) }); ok {
		return s.Rules[i]
	}
	return nil
}
