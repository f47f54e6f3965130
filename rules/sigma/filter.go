package sigma

import "slices"

// filter puts the conditions of filter documents (Sigma specification, "Filters") into the rules they name: such a rule matches only where the
// filter's condition holds as well.
func (c *converter) filter() {
	for _, p := range c.parts {
		if p.kind != filterRule {
			continue
		}
		if err := c.filterOne(p); err != nil {
			c.refuse(p, err)
			continue
		}
		c.result.Filters++
	}
}

func (c *converter) filterOne(p *part) error {
	n := p.fields.keys["filter"]
	f, err := readFields(n, "filter")
	if err != nil {
		return err
	}
	names, err := f.list("rules")
	if err != nil {
		return err
	}
	if len(names) == 0 {
		return refuse(n, codeFilter, "the filter names no rules", "rules: any stands for all of its log source")
	}
	t, err := readDetection(without(n, "rules"))
	if err != nil {
		return err
	}
	source, _, err := readLogsource(p.fields.keys["logsource"])
	if err != nil {
		return err
	}
	found := map[string]bool{}
	for _, other := range c.parts {
		if other.kind != eventRule || other.failed {
			continue
		}
		named := slices.ContainsFunc(names, func(s string) bool { return s != "" && (s == other.header.id || s == other.header.name) })
		if !named && names[0] != "any" {
			continue
		}
		found[other.header.id], found[other.header.name] = true, true
		if own, _, _ := readLogsource(other.fields.keys["logsource"]); !source.covers(own) {
			if named {
				return refuse(p.fields.keys["logsource"], codeFilter, "the filter is for "+source.String()+", and rule "+other.header.title+" for "+own.String(), "")
			}
			continue
		}
		other.tree = and(other.tree, t)
	}
	for _, s := range names {
		if s != "any" && !found[s] {
			return refuse(f.keys["rules"], codeReference, "there is no rule "+s+" among the files", "import the files that belong together in one go")
		}
	}
	return nil
}

// covers reports whether events of another log source are also of this one.
func (l logsource) covers(other logsource) bool {
	return (l.category == "" || l.category == other.category) && (l.product == "" || l.product == other.product) && (l.service == "" || l.service == other.service)
}
