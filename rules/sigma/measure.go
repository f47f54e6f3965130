package sigma

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// measure is value_sum, value_avg, value_median and value_percentile: a count of ours that measures a field. The specification does not say how a
// percentile of few values is taken: it is the least value that so many per cent of the values do not exceed.
func (r *correlation) measure() (*yaml.Node, error) {
	t, err := r.threshold()
	if err != nil {
		return nil, err
	}
	key := ""
	switch t.operator {
	case "gt":
		key = "above"
	case "gte":
		key = "reaches"
	default:
		return nil, refuse(t.node, codeMeasure, t.operator+" cannot be decided when an event arrives: the next one may undo it", "gte and gt can")
	}
	limit, err := decimalNode(t.node, t.number)
	if err != nil {
		return nil, err
	}
	step, err := r.counted()
	if err != nil {
		return nil, err
	}
	path, err := r.onePath(t)
	if err != nil {
		return nil, err
	}
	step.add(strings.TrimPrefix(r.kind, "value_"), textNode(path, t.node))
	if r.kind == "value_percentile" {
		rank, err := decimalNode(t.node, t.rank)
		if err != nil {
			return nil, err
		}
		step.add("rank", rank)
	}
	step.add(key, limit)
	step.add("within", r.within)
	m := newMapping(r.node)
	m.add("count", step.Node)
	return m.Node, nil
}

// decimalNode is a number of a condition as it is written here.
func decimalNode(at *yaml.Node, s string) (*yaml.Node, error) {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || v != v || v-v != 0 {
		return nil, refuse(at, codeValue, strconv.Quote(s)+" is no number", "")
	}
	n := textNode(strconv.FormatFloat(v, 'f', -1, 64), at)
	n.Tag = "!!float"
	if v == float64(int64(v)) {
		n.Tag = "!!int"
	}
	return n, nil
}
