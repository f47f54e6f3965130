package sigma

import "go.yaml.in/yaml/v3"

func (r *correlation) measure() (*yaml.Node, error) {
	return nil, refuse(r.node, codeMeasure, r.kind+" is not carried", "")
}
