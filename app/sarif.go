package app

import (
	"encoding/json"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/tocsin-siem/tocsin/rules"
)

// WriteSARIF writes problems of rule files as a SARIF 2.1.0 log with one run, for code hosts and editors that show what linters find. All codes are
// listed as rules of the tool, also those without a result; columns count Unicode characters, as the problems do.
func WriteSARIF(w io.Writer, version string, problems []rules.Problem) error {
	run := sarifRun{ColumnKind: "unicodeCodePoints", Results: []sarifResult{}} // An empty list still says that the tool has run.
	run.Tool.Driver = sarifDriver{Name: "tocsin rules lint", Version: sarifVersion(version), InformationURI: "https://github.com/tocsin-siem/tocsin"}
	index := map[string]int{}
	for _, c := range rules.Codes() {
		index[c.Code] = len(run.Tool.Driver.Rules)
		d := sarifRule{ID: c.Code, ShortDescription: sarifText{c.Doc}}
		d.DefaultConfiguration.Level = c.Severity.String()
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, d)
	}
	for _, p := range problems {
		r := sarifResult{RuleID: p.Code, RuleIndex: index[p.Code], Level: p.Severity.String(), Message: sarifText{p.Message}}
		if p.Hint != "" {
			r.Message.Text += " (" + p.Hint + ")"
		}
		var at sarifLocation
		at.PhysicalLocation.ArtifactLocation.URI = (&url.URL{Path: filepath.ToSlash(p.File)}).String() // With ./ before a colon that would end a scheme.
		at.PhysicalLocation.Region = sarifRegion{p.Line, p.Column}
		r.Locations = []sarifLocation{at}
		run.Results = append(run.Results, r)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(sarifLog{Schema: "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

// sarifVersion is a version as readers of SARIF compare them, which begins with a digit; "" for one of a build that has none.
func sarifVersion(version string) string {
	version = strings.TrimPrefix(version, "v")
	if version == "" || version[0] < '0' || version[0] > '9' {
		return ""
	}
	return version
}

// The part of SARIF 2.1.0 (OASIS, 2020; sections 3.13 to 3.30) that linters use.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool struct {
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifDriver struct {
		Name           string      `json:"name"`
		Version        string      `json:"version,omitempty"`
		InformationURI string      `json:"informationUri"`
		Rules          []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID                   string    `json:"id"`
		ShortDescription     sarifText `json:"shortDescription"`
		DefaultConfiguration struct {
			Level string `json:"level"`
		} `json:"defaultConfiguration"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifText       `json:"message"`
		Locations []sarifLocation `json:"locations"`
	}
	sarifLocation struct {
		PhysicalLocation struct {
			ArtifactLocation struct {
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region sarifRegion `json:"region"`
		} `json:"physicalLocation"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn"`
	}
)
