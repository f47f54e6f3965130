package app

import (
	"encoding/json"
	"io"
	"strings"

	"github.com/tocsin-siem/tocsin/rules"
)

// WriteLayer writes what rules cover as a layer of the ATT&CK Navigator (layer format 4.5): the score of a technique is the number of its live
// rules, its comment names all of them. framework is rules.Enterprise or rules.ICS.
func WriteLayer(w io.Writer, framework string, covered []rules.Covered) error {
	l := layer{Name: "Rules of Tocsin", Domain: framework + "-attack", Description: "Score: live rules for the technique.", Techniques: []layerTechnique{}}
	l.Versions.Layer, l.Versions.Navigator = "4.5", oldestNavigator
	highest := 1
	for _, c := range covered {
		if c.Framework != framework {
			continue
		}
		highest = max(highest, c.Live)
		parent, _, sub := strings.Cut(c.ID, ".")
		l.Techniques = append(l.Techniques, layerTechnique{ID: c.ID, Score: c.Live, Comment: strings.Join(c.Rules, ", "), Enabled: true})
		if sub { // So that the row of its parent is unfolded.
			l.Techniques = append(l.Techniques, layerTechnique{ID: parent, Enabled: true, Unfolded: true})
		}
	}
	l.Techniques = mergeParents(l.Techniques)
	l.Gradient.Colors, l.Gradient.Max = []string{"#dbe9f6", "#2171b5"}, highest
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(l)
}

// oldestNavigator is the version that a layer names, which the format requires: of the first Navigators of today's series, which all read format 4.5.
const oldestNavigator = "5.0.0"

// mergeParents leaves one entry of a technique that is named itself or by several of its sub-techniques.
func mergeParents(list []layerTechnique) []layerTechnique {
	at := map[string]int{}
	out := list[:0]
	for _, t := range list {
		i, seen := at[t.ID]
		if !seen {
			at[t.ID] = len(out)
			out = append(out, t)
			continue
		}
		had := &out[i]
		had.Unfolded = had.Unfolded || t.Unfolded
		if t.Comment != "" {
			had.Score, had.Comment = t.Score, t.Comment
		}
	}
	return out
}

type layer struct {
	Name     string `json:"name"`
	Versions struct {
		Layer     string `json:"layer"`
		Navigator string `json:"navigator"`
	} `json:"versions"`
	Domain      string           `json:"domain"`
	Description string           `json:"description"`
	Techniques  []layerTechnique `json:"techniques"`
	Gradient    struct {
		Colors []string `json:"colors"`
		Min    int      `json:"minValue"`
		Max    int      `json:"maxValue"`
	} `json:"gradient"`
}

type layerTechnique struct {
	ID       string `json:"techniqueID"`
	Score    int    `json:"score,omitempty"`
	Comment  string `json:"comment,omitempty"`
	Enabled  bool   `json:"enabled"`
	Unfolded bool   `json:"showSubtechniques,omitempty"`
}
