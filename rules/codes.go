package rules

// Code documents one kind of problem.
type Code struct {
	Code     string
	Severity Weight
	Doc      string
}

// The codes of problems. They are stable: a code is never given another meaning.
const (
	codeYAML          = "R001"
	codeUnknownKey    = "R002"
	codeMissing       = "R003"
	codeShape         = "R004"
	codeDuplicateKey  = "R005"
	codeValue         = "R006"
	codeDuration      = "R007"
	codeID            = "R008"
	codeDuplicateRule = "R009"
	codeAlias         = "R010"
	codeBooleanKey    = "R011"
	codeFlowCut       = "R012"
	codeSyntax        = "R020"
	codeName          = "R021"
	codeType          = "R022"
	codeCaption       = "R023"
	codeConstant      = "R024"
	codeRefused       = "R025"
	codeTooLong       = "R026"
	codeNever         = "R027"
	codeStepID        = "R030"
	codeDuplicateStep = "R031"
	codeClass         = "R032"
	codeBind          = "R033"
	codeVariable      = "R034"
	codeGuard         = "R035"
	codeThrottleKey   = "R036"
	codeSpan          = "R037"
	codeField         = "R038"
	codeMatchKinds    = "R039"
	codeTests         = "R040"
	codeTestEvent     = "R041"
	codePer           = "R042"
	codeModifier      = "R043"
	codeUnusedVar     = "R050"
	codeApproximate   = "R051"
	codeTag           = "R052"
	codeNotEmitted    = "R053"
	codeUnjoined      = "R054"
	codeException     = "R060"
	codeExceptionRule = "R061"
	codeExpired       = "R062"
	codeListen        = "R063"
	codeLoop          = "R064"
	codeDepth         = "R065"
	codeFound         = "R066"
	codeListenOff     = "R067"
)

// Codes lists every kind of problem, for the reference.
func Codes() []Code { return codes }

var codes = []Code{
	{codeYAML, Error, "The file is not YAML, or cannot be read."},
	{codeUnknownKey, Error, "A key that does not exist here."},
	{codeMissing, Error, "A required key is missing."},
	{codeShape, Error, "A mapping, list or scalar stands where something else must."},
	{codeDuplicateKey, Error, "A key stands twice in one mapping."},
	{codeValue, Error, "A value outside those allowed."},
	{codeDuration, Error, "Not a length of time: whole numbers with ms, s, m, h, d or w. Months and years have no fixed length."},
	{codeID, Error, "A rule id that is not lower-case letters, digits and dashes."},
	{codeDuplicateRule, Error, "Two rules with one id. A new version replaces the old one in its file."},
	{codeAlias, Error, "YAML anchors, aliases and merge keys are not part of rule files."},
	{codeBooleanKey, Error, "on, off, yes, no, y, n as a key: tools that read YAML 1.1 turn it into a boolean."},
	{codeFlowCut, Error, "An unquoted expression inside {…}: YAML ends it at the first comma or bracket."},
	{codeSyntax, Error, "Not an expression."},
	{codeName, Error, "An expression names a field, step, variable or function that does not exist."},
	{codeType, Error, "Operands, arguments or result of an expression have the wrong type."},
	{codeCaption, Error, "An enumerated field is compared with a word it never has."},
	{codeConstant, Error, "An argument of an expression must be a valid constant: a regular expression, a network, a duration, a list name."},
	{codeRefused, Error, "A part of expr's language that rules do not have."},
	{codeTooLong, Error, "An expression longer than the bounds."},
	{codeNever, Error, "A condition that can never be true."},
	{codeStepID, Error, "A step id that is missing its shape or hides an event field."},
	{codeDuplicateStep, Error, "Two steps with one id."},
	{codeClass, Error, "A class or activity that OCSF and its extension do not have."},
	{codeBind, Error, "A source of a variable that is no entity kind, role.kind or field; or one variable with two kinds."},
	{codeVariable, Error, "A variable is named that no step binds."},
	{codeGuard, Error, "A guard that can never be reached: it looks nowhere, or at a step that does not exist."},
	{codeThrottleKey, Error, "throttle.per leaves out a variable of the rule's key, so a throttle would reach across keys."},
	{codeSpan, Error, "A length of time or a count beyond the engine's bounds."},
	{codeField, Error, "Not the path of a field."},
	{codeMatchKinds, Error, "A match needs exactly one of event, sequence, all, any, count, consecutive, with at least one step."},
	{codeTests, Error, "A live rule without a firing and a silent test; or a test that cannot be."},
	{codeTestEvent, Error, "A test's event has a field, value or class that events do not have."},
	{codePer, Error, "The per of a modifier names a variable that its step does not bind, so that no event could pass."},
	{codeModifier, Error, "A modifier with memory that could not work: a number out of range, such as a jitter_max above 1, a span that is no multiple of its bucket, a baseline too short for its season, or two that exclude each other."},
	{codeUnusedVar, Warning, "A variable is bound in one step only and used nowhere; emit says so openly."},
	{codeApproximate, Warning, "A count above 4096 is kept in buckets and is approximate."},
	{codeTag, Warning, "A tag that looks like a technique of ATT&CK or a requirement of IEC 62443-3-3 but is not written as attack.t1078, attack.t1556.006, ics.t0858 or iec62443.sr1.13."},
	{codeNotEmitted, Warning, "No configured format emits any class of a step: the rule cannot complete."},
	{codeUnjoined, Warning, "A step shares no variable with the others, so that it joins with everybody's."},
	{codeException, Error, "An exception without id, owner, reason, expires or when, or for a step that does not exist."},
	{codeExceptionRule, Error, "An exception of a rule that is not loaded."},
	{codeExpired, Warning, "An exception that has expired: it holds for no event from then on."},
	{codeListen, Error, "A step listens to a rule that is not loaded, or to events and rules at once."},
	{codeLoop, Error, "Rules listen to each other in a circle."},
	{codeDepth, Error, "More than 8 rules stand behind each other."},
	{codeFound, Error, "A variable that the rule listened to does not have, or a field that findings do not have."},
	{codeListenOff, Warning, "A step listens to a rule that is off: it never happens."},
}

// weightOf is the weight of a code.
func weightOf(code string) Weight {
	for _, c := range codes {
		if c.Code == code {
			return c.Severity
		}
	}
	return Error
}
