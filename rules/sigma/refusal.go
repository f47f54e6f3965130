package sigma

import (
	"go.yaml.in/yaml/v3"

	"github.com/tocsin-siem/tocsin/rules"
)

// The codes of what is refused. They are stable.
const (
	codeNotSigma    = "S001"
	codeShape       = "S002"
	codeMissing     = "S003"
	codeCondition   = "S010"
	codeIdentifier  = "S011"
	codeModifier    = "S012"
	codeValue       = "S013"
	codeRegex       = "S014"
	codePlaceholder = "S015"
	codeAggregation = "S016"
	codeSource      = "S020"
	codeTooBig      = "S021"
	codeCorrelation = "S030"
	codeReference   = "S031"
	codeMeasure     = "S032"
	codeGroup       = "S033"
	codeFilter      = "S034"
)

// Codes lists every reason for which a Sigma document is refused, for the reference. Refusals are warnings: the other rules of a folder load.
func Codes() []rules.Code { return codes }

var codes = []rules.Code{
	{Code: codeNotSigma, Severity: rules.Warning, Doc: "The file is not YAML, or a document in it is no Sigma rule, correlation or filter."},
	{Code: codeShape, Severity: rules.Warning, Doc: "A mapping, list or scalar stands where something else must."},
	{Code: codeMissing, Severity: rules.Warning, Doc: "A required key is missing."},
	{Code: codeCondition, Severity: rules.Warning, Doc: "The condition is not one."},
	{Code: codeIdentifier, Severity: rules.Warning, Doc: "The condition names a search identifier that does not exist."},
	{Code: codeModifier, Severity: rules.Warning, Doc: "A modifier that Sigma does not have, or that does not go with the one before it."},
	{Code: codeValue, Severity: rules.Warning, Doc: "A value that its modifiers cannot take."},
	{Code: codeRegex, Severity: rules.Warning, Doc: "A regular expression that cannot run in linear time (look-around, back references), or is none."},
	{Code: codePlaceholder, Severity: rules.Warning, Doc: "expand needs a value that only the place where a rule runs can give."},
	{Code: codeAggregation, Severity: rules.Warning, Doc: "An aggregation after | or a timeframe, which Sigma has replaced by correlation rules."},
	{Code: codeSource, Severity: rules.Warning, Doc: "A log source whose events could not be told from others."},
	{Code: codeTooBig, Severity: rules.Warning, Doc: "The rule is larger than the bounds on expressions."},
	{Code: codeCorrelation, Severity: rules.Warning, Doc: "A part of a correlation that cannot be carried exactly."},
	{Code: codeReference, Severity: rules.Warning, Doc: "A correlation or filter names a rule that is not among the files, is refused, or leads back to itself."},
	{Code: codeMeasure, Severity: rules.Warning, Doc: "A comparison that cannot be decided when an event arrives: fewer than, exactly, not equal."},
	{Code: codeGroup, Severity: rules.Warning, Doc: "Several rules of one count that group by different fields."},
	{Code: codeFilter, Severity: rules.Warning, Doc: "A filter that cannot be applied."},
}

// refusal says why a document cannot be carried, and where.
type refusal struct {
	node          *yaml.Node // Nil: the start of the document.
	code          string
	message, hint string
}

// Error implements error.
func (r *refusal) Error() string { return r.code + " " + r.message }

func refuse(n *yaml.Node, code, message, hint string) error {
	return &refusal{node: n, code: code, message: message, hint: hint}
}
