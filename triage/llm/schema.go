package llm

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/tocsin-siem/tocsin/triage"
)

// Versions of what the model is told; they are part of the cache key.
const (
	promptVersion = "1"
	schemaVersion = "1"
)

// Bounds of an answer.
const (
	maxText  = 240 // characters of a claim
	maxList  = 6   // claims of a list
	maxSteps = 10  // claims of the timeline
)

// answer is what a model gives, as the schema has it.
type answer struct {
	Headline struct {
		Text string   `json:"text"`
		Refs []string `json:"refs"`
	} `json:"headline"`
	Reading struct {
		Assessment string  `json:"assessment"`
		Confidence string  `json:"confidence"`
		For        []claim `json:"for"`
		Against    []claim `json:"against"`
	} `json:"malfunction_or_intrusion"`
	Affected struct {
		Robots []string `json:"robots"`
		Others []string `json:"others"`
		Claims []claim  `json:"claims"`
	} `json:"affected"`
	Changed  []claim  `json:"what_changed"`
	Timeline []claim  `json:"timeline"`
	Unknowns []string `json:"unknowns"`
	Checks   []string `json:"next_checks"`
}

type claim struct {
	Text string   `json:"text"`
	Refs []string `json:"refs"`
}

// assessments are the readings and undetermined.
var assessments = []string{triage.Malfunction, triage.Intrusion, triage.Misuse, triage.Authorised, triage.Undetermined}

// schemaOf is the JSON Schema of an answer about a pack: references, robots, checks and the rest are enumerations of what the pack has. Without
// bounds it says nothing of the length of texts, which some servers do not take; the verifier checks with bounds always.
func schemaOf(p *Pack, bounds bool) json.RawMessage {
	var aliases, unknowns, checks []string
	for _, l := range p.Lines {
		aliases = append(aliases, l.Alias)
	}
	for _, u := range p.Unknowns {
		unknowns = append(unknowns, u.ID)
	}
	for _, c := range p.Checks {
		checks = append(checks, c.ID)
	}
	text := `"type":"string"`
	if bounds {
		text += fmt.Sprintf(`,"minLength":1,"maxLength":%d`, maxText)
	}
	claim := object("text", "{"+text+"}", "refs", list(enum(aliases), 1, maxRefs))
	claims := func(most int) string { return list(`{"$ref":"#/$defs/claim"}`, 0, most) }
	body := object(
		"headline", `{"$ref":"#/$defs/claim"}`,
		"malfunction_or_intrusion", object("assessment", enum(assessments), "confidence", enum(confidences), "for", claims(maxList), "against", claims(maxList)),
		"affected", object("robots", list(enum(p.Robots), 0, len(p.Robots)), "others", list(enum(p.Others), 0, min(8, len(p.Others))), "claims", claims(maxList)),
		"what_changed", claims(maxList),
		"timeline", claims(maxSteps),
		"unknowns", list(enum(unknowns), 0, len(unknowns)),
		"next_checks", list(enum(checks), 0, len(checks)),
	)
	return json.RawMessage(`{"$defs":{"claim":` + claim + `},` + body[1:])
}

// confidences in rising order.
var confidences = []string{"low", "medium", "high"}

// object is the schema of an object with exactly these members, given as name and schema in turn.
func object(members ...string) string {
	var b, names strings.Builder
	for i := 0; i < len(members); i += 2 {
		if i > 0 {
			b.WriteByte(',')
			names.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", members[i], members[i+1])
		fmt.Fprintf(&names, "%q", members[i])
	}
	return `{"type":"object","properties":{` + b.String() + `},"required":[` + names.String() + `],"additionalProperties":false}`
}

func list(items string, least, most int) string {
	return fmt.Sprintf(`{"type":"array","items":%s,"minItems":%d,"maxItems":%d}`, items, least, most)
}

// enum is one of the values. Where there are none, the list around it is empty anyway.
func enum(values []string) string {
	if len(values) == 0 {
		values = []string{"none"}
	}
	b, _ := json.Marshal(values) // strings always encode
	return `{"type":"string","enum":` + string(b) + `}`
}

// check holds an answer against the schema of its pack.
func check(p *Pack, content []byte) error {
	schema, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaOf(p, true)))
	if err != nil {
		return err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("mem:answer.json", schema); err != nil {
		return err
	}
	s, err := c.Compile("mem:answer.json")
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(content))
	if err != nil {
		return err
	}
	return s.Validate(v)
}
