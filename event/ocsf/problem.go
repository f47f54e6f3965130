package ocsf

import "fmt"

// Severity says whether a problem makes the event invalid.
type Severity uint8

const (
	// Error makes the event invalid.
	Error Severity = iota
	// Warning is advice of the schema; the event is valid.
	Warning
)

func (s Severity) String() string {
	if s == Warning {
		return "warning"
	}
	return "error"
}

// A Problem is one thing the validator found. Codes are those of the OCSF
// server's validator where it has one.
type Problem struct {
	// Path is the place in the document, such as "evidences[0].src_endpoint.ip",
	// or "" for the whole event.
	Path     string
	Code     string
	Message  string
	Severity Severity
}

func (p Problem) String() string {
	if p.Path == "" {
		return fmt.Sprintf("%s: %s: %s", p.Severity, p.Code, p.Message)
	}
	return fmt.Sprintf("%s: %s: %s: %s", p.Severity, p.Path, p.Code, p.Message)
}

// HasErrors reports whether any of the problems makes the event invalid.
func HasErrors(problems []Problem) bool {
	for i := range problems {
		if problems[i].Severity == Error {
			return true
		}
	}
	return false
}

// The codes of problems. Comments give the severity where it is a warning.
const (
	CodeInvalidJSON           = "json_invalid" // also duplicate names and bad UTF-8
	CodeTooLarge              = "event_too_large"
	CodeTooDeep               = "event_too_deep"
	CodeTooManyProblems       = "too_many_problems"
	CodeClassUnknown          = "class_uid_unknown"
	CodeClassDeprecated       = "class_deprecated" // warning
	CodeVersionIncorrect      = "version_incorrect"
	CodeTypeIncorrect         = "type_uid_incorrect"
	CodeExtensionMissing      = "extension_missing"
	CodeProfileUnknown        = "profile_unknown"
	CodeRequiredMissing       = "attribute_required_missing"
	CodeUnknownAttribute      = "attribute_unknown"
	CodeProfileMissing        = "attribute_profile_missing"
	CodeWrongType             = "attribute_wrong_type"
	CodeOutOfRange            = "attribute_value_exceeds_range"
	CodeTooLong               = "attribute_value_exceeds_max_len"
	CodePatternNotMatched     = "attribute_value_regex_not_matched" // warning
	CodeEnumUnknown           = "attribute_enum_value_unknown"
	CodeEnumDeprecated        = "attribute_enum_value_deprecated" // warning
	CodeSiblingMissing        = "attribute_enum_sibling_missing"
	CodeSiblingIncorrect      = "attribute_enum_sibling_incorrect"        // warning
	CodeSiblingOther          = "attribute_enum_sibling_suspicious_other" // warning
	CodeArraySiblingMissing   = "attribute_enum_array_sibling_missing"
	CodeArraySiblingIncorrect = "attribute_enum_array_sibling_incorrect"
	CodeAttributeDeprecated   = "attribute_deprecated" // warning
	CodeObjectDeprecated      = "object_deprecated"    // warning
	CodeObjectEmpty           = "object_empty"         // warning for open objects such as unmapped
	CodeConstraintFailed      = "constraint_failed"
	CodeObservableReference   = "observable_name_invalid_reference"
	CodeObservableType        = "observable_type_incorrect"  // warning
	CodeObservableValue       = "observable_value_incorrect" // warning
)
