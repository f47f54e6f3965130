package jsonscan

import (
	"fmt"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

// Default limits of a Plan and of Parse. OCSF and vendor documents stay far below both.
const (
	DefaultMaxBytes = 1 << 20
	DefaultMaxDepth = 64
)

// maxBytesCeiling keeps every offset within 31 bits.
const maxBytesCeiling = 1 << 30

// maxArrayIndex bounds the indexes a path may name.
const maxArrayIndex = 1 << 16

// Limits bounds what a document may cost. A zero field stands for its default.
type Limits struct {
	MaxBytes int // size of the document
	MaxDepth int // nested objects and arrays; a flat object has depth 1
}

func (l Limits) orDefaults() Limits {
	if l.MaxBytes <= 0 {
		l.MaxBytes = DefaultMaxBytes
	}
	if l.MaxDepth <= 0 {
		l.MaxDepth = DefaultMaxDepth
	}
	l.MaxBytes = min(l.MaxBytes, maxBytesCeiling)
	return l
}

// Plan is a set of wanted paths, compiled to a trie.
type Plan struct {
	root   *node
	paths  []string
	multi  []bool // by slot: the path has a [] and may match several values
	limits Limits
}

// node is one place of the trie: where a document's path prefix stands.
type node struct {
	slots    []int32 // paths ending here
	members  int32   // 1 + slot of the path whose members stand here; 0: none
	children []child // wanted object members
	bloom    uint64  // fingerprints of children; a miss needs no comparison
	table    []int16 // places of children by fingerprint, 0 for none, else one more; nil where there are few
	shift    uint8   // how far a fingerprint is shifted to index the table
	elem     *node   // []
	indexed  []indexChild
}

type child struct {
	fp   uint64
	key  string
	node *node
}

type indexChild struct {
	index int
	node  *node
}

// Compile prepares a plan for Scan. The order of the paths gives the slot numbers. It panics on a
// malformed path, since paths are literals of the program; use NewPlan for paths from a file.
//
// A path is object keys joined by dots, with array steps: "actor.alternateId", "target[0].id",
// "target[].type" (every element), "[].id" (the document is an array). A dot, bracket or backslash
// that belongs to a key is escaped by a backslash ("event\.sequence"); see Escape. The value at a path
// may be of any kind: a path that ends at an object or array captures it whole, and paths below it may
// be wanted as well. A path with {} at its end, behind keys only, wants every member of the object there;
// Result.Members gives them, and the other accessors nothing.
func Compile(paths ...string) *Plan {
	p, err := NewPlan(paths)
	if err != nil {
		panic(err)
	}
	return p
}

// NewPlan is Compile with an error, which names the path and what is wrong with it.
func NewPlan(paths []string) (*Plan, error) {
	p := &Plan{
		root:   &node{},
		paths:  slices.Clone(paths),
		multi:  make([]bool, len(paths)),
		limits: Limits{}.orDefaults(),
	}
	for i, path := range paths {
		object, all := strings.CutSuffix(path, "{}")
		var steps []step
		if !all || object != "" {
			var err error
			if steps, err = parsePath(object); err != nil {
				return nil, fmt.Errorf("jsonscan: path %q: %w", path, err)
			}
		}
		n := p.root
		for _, st := range steps {
			n = n.extend(st)
			p.multi[i] = p.multi[i] || st.kind == stepAll
			if all && st.kind != stepKey {
				return nil, fmt.Errorf("jsonscan: path %q: {} does not go with elements of arrays", path)
			}
		}
		if all {
			n.members = int32(i + 1)
			continue
		}
		n.slots = append(n.slots, int32(i))
	}
	p.root.spreadWildcards()
	p.root.tabulate()
	return p, nil
}

// WithLimits returns a copy of the plan that accepts documents within the given limits.
func (p *Plan) WithLimits(l Limits) *Plan {
	q := *p
	q.limits = l.orDefaults()
	return &q
}

// Len is the number of paths, and of slots.
func (p *Plan) Len() int { return len(p.paths) }

// Path returns the path of a slot, as it was given.
func (p *Plan) Path(slot int) string { return p.paths[slot] }

// Escape makes one object key usable as a step of a path.
func Escape(key string) string {
	if !strings.ContainsAny(key, `.[]\`) {
		return key
	}
	var b strings.Builder
	for i := range len(key) {
		if strings.IndexByte(`.[]\`, key[i]) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteByte(key[i])
	}
	return b.String()
}

type stepKind uint8

const (
	stepKey stepKind = iota
	stepAll
	stepIndex
)

type step struct {
	kind  stepKind
	key   string
	index int
}

func parsePath(path string) ([]step, error) {
	var steps []step
	rest := path
	for first := true; first || rest != ""; first = false {
		if strings.HasPrefix(rest, "[") {
			st, tail, err := parseBracket(rest)
			if err != nil {
				return nil, err
			}
			steps, rest = append(steps, st), tail
			if rest != "" && rest[0] != '[' && rest[0] != '.' {
				return nil, fmt.Errorf("expected '.' or '[' before %q", rest)
			}
			continue
		}
		if !first {
			if rest[0] != '.' {
				return nil, fmt.Errorf("unexpected %q", rest)
			}
			rest = rest[1:]
		}
		key, tail, err := parseKey(rest)
		if err != nil {
			return nil, err
		}
		steps, rest = append(steps, step{kind: stepKey, key: key}), tail
	}
	return steps, nil
}

func parseKey(s string) (key, rest string, err error) {
	var b []byte
	i := 0
	for ; i < len(s) && s[i] != '.' && s[i] != '['; i++ {
		switch s[i] {
		case ']':
			return "", "", fmt.Errorf("']' without '['")
		case '\\':
			i++
			if i == len(s) {
				return "", "", fmt.Errorf("backslash at the end")
			}
		}
		b = append(b, s[i])
	}
	if len(b) == 0 {
		return "", "", fmt.Errorf("empty step")
	}
	return string(b), s[i:], nil
}

func parseBracket(s string) (step, string, error) {
	inside, rest, closed := strings.Cut(s[1:], "]")
	if !closed {
		return step{}, "", fmt.Errorf("'[' without ']'")
	}
	if inside == "" {
		return step{kind: stepAll}, rest, nil
	}
	n, err := strconv.Atoi(inside)
	if err != nil || n < 0 || n > maxArrayIndex {
		return step{}, "", fmt.Errorf("[%s]: want [] or an index from 0 to %d", inside, maxArrayIndex)
	}
	return step{kind: stepIndex, index: n}, rest, nil
}

func (n *node) extend(st step) *node {
	switch st.kind {
	case stepAll:
		if n.elem == nil {
			n.elem = &node{}
		}
		return n.elem
	case stepIndex:
		for _, ic := range n.indexed {
			if ic.index == st.index {
				return ic.node
			}
		}
		n.indexed = append(n.indexed, indexChild{st.index, &node{}})
		return n.indexed[len(n.indexed)-1].node
	}
	for _, c := range n.children {
		if c.key == st.key {
			return c.node
		}
	}
	fp := fingerprint([]byte(st.key))
	n.children = append(n.children, child{fp, st.key, &node{}})
	n.bloom |= bloomBit(fp)
	return n.children[len(n.children)-1].node
}

// spreadWildcards copies what a [] wants into the indexed nodes beside it, so that an element is
// looked at once although two paths may want it.
func (n *node) spreadWildcards() {
	if n.elem != nil {
		for _, ic := range n.indexed {
			ic.node.merge(n.elem)
		}
		n.elem.spreadWildcards()
	}
	for _, ic := range n.indexed {
		ic.node.spreadWildcards()
	}
	for _, c := range n.children {
		c.node.spreadWildcards()
	}
}

func (n *node) merge(src *node) {
	n.slots = append(n.slots, src.slots...)
	for _, c := range src.children {
		n.extend(step{kind: stepKey, key: c.key}).merge(c.node)
	}
	for _, ic := range src.indexed {
		n.extend(step{kind: stepIndex, index: ic.index}).merge(ic.node)
	}
	if src.elem != nil {
		n.extend(step{kind: stepAll}).merge(src.elem)
	}
}

// fewChildren is up to how many members are compared one by one; with more the bloom bits are nearly all set.
const fewChildren = 16

// tabulate builds the table of every node that wants many members.
func (n *node) tabulate() {
	if count := len(n.children); count > fewChildren && count < 1<<13 {
		size := bits.Len(uint(count)) + 2
		n.table, n.shift = make([]int16, 1<<size), uint8(64-size)
		for i := range n.children {
			at := n.children[i].fp >> n.shift
			for n.table[at] != 0 {
				at = (at + 1) & uint64(len(n.table)-1)
			}
			n.table[at] = int16(i + 1)
		}
	}
	if n.elem != nil {
		n.elem.tabulate()
	}
	for _, ic := range n.indexed {
		ic.node.tabulate()
	}
	for _, c := range n.children {
		c.node.tabulate()
	}
}

// find returns the node of an object member, or nil. Members tend to come in one order, so the search
// begins after the last one found.
func (n *node) find(fp uint64, key []byte, hint *int) *node {
	if n.bloom&bloomBit(fp) == 0 {
		return nil
	}
	if n.table != nil {
		return n.findInTable(fp, key)
	}
	for i := range n.children {
		j := *hint + i
		if j >= len(n.children) {
			j -= len(n.children)
		}
		if c := &n.children[j]; c.fp == fp && c.key == string(key) {
			*hint = j + 1
			return c.node
		}
	}
	return nil
}

func (n *node) findInTable(fp uint64, key []byte) *node {
	for at := fp >> n.shift; n.table[at] != 0; at = (at + 1) & uint64(len(n.table)-1) {
		if c := &n.children[n.table[at]-1]; c.fp == fp && c.key == string(key) {
			return c.node
		}
	}
	return nil
}

// at returns the node of an array element, or nil.
func (n *node) at(index int) *node {
	for i := range n.indexed {
		if n.indexed[i].index == index {
			return n.indexed[i].node
		}
	}
	return n.elem
}
