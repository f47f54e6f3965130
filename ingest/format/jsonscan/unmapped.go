package jsonscan

// Unmapped lists the leaf paths of a document that the plan does not want, in the order of their first
// appearance, each once: array elements are written [], special characters in keys are escaped as
// Compile reads them. A leaf is a scalar or an empty container; a path that captures a container wants
// all of it. It is a cold path, for showing what a format leaves aside.
func Unmapped(doc []byte, p *Plan) ([]string, error) {
	root, err := p.limits.Parse(doc)
	if err != nil {
		return nil, err
	}
	w := leafWalk{seen: map[string]bool{}}
	w.walk(root, p.root, "")
	return w.paths, nil
}

type leafWalk struct {
	paths []string
	seen  map[string]bool
}

func (w *leafWalk) walk(v Value, n *node, path string) {
	if n != nil && (len(n.slots) > 0 || n.members != 0) {
		return
	}
	leaf := true
	hint := 0
	for key, member := range v.Members() {
		leaf = false
		var next *node
		if n != nil {
			next = n.find(fingerprint([]byte(key)), []byte(key), &hint)
		}
		at := Escape(key)
		if path != "" {
			at = path + "." + at
		}
		w.walk(member, next, at)
	}
	index := 0
	for element := range v.Elements() {
		leaf = false
		var next *node
		if n != nil {
			next = n.at(index)
		}
		w.walk(element, next, path+"[]")
		index++
	}
	if leaf && !w.seen[path] {
		w.seen[path] = true
		w.paths = append(w.paths, path)
	}
}
