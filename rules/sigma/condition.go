package sigma

import (
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

// op is the kind of a node of a tree.
type op uint8

const (
	opLeaf op = iota
	opAnd
	opOr
	opNot
	opTrue
)

// tree is a condition: over search identifiers first, over fields once they are put in.
type tree struct {
	op   op
	kids []*tree
	leaf *leaf
}

func and(kids ...*tree) *tree { return join(opAnd, kids) }
func or(kids ...*tree) *tree  { return join(opOr, kids) }
func not(t *tree) *tree       { return &tree{op: opNot, kids: []*tree{t}} }

// join makes one node of several; nodes of the same kind become one.
func join(o op, kids []*tree) *tree {
	if len(kids) == 1 {
		return kids[0]
	}
	t := &tree{op: o}
	for _, k := range kids {
		if k.op == o {
			t.kids = append(t.kids, k.kids...)
			continue
		}
		t.kids = append(t.kids, k)
	}
	return t
}

// maxConditionDepth bounds the parentheses and nots of a condition.
const maxConditionDepth = 50

// conditionParser reads a condition. What a name stands for is asked of resolve; names lists all there are, in the order written.
type conditionParser struct {
	node    *yaml.Node
	tokens  []string
	at      int
	depth   int
	names   []string
	resolve func(name string) (*tree, error)
}

func parseCondition(n *yaml.Node, names []string, resolve func(string) (*tree, error)) (*tree, error) {
	p := &conditionParser{node: n, names: names, resolve: resolve}
	if strings.Contains(n.Value, "|") {
		return nil, refuse(n, codeAggregation, "an aggregation after | is not part of a condition any more", "write a correlation rule")
	}
	p.tokens = strings.Fields(strings.NewReplacer("(", " ( ", ")", " ) ").Replace(n.Value))
	if len(p.tokens) == 0 {
		return nil, p.wrong("the condition is empty")
	}
	t, err := p.or()
	if err != nil {
		return nil, err
	}
	if p.at < len(p.tokens) {
		return nil, p.wrong("the condition ends before " + p.tokens[p.at])
	}
	return t, nil
}

func (p *conditionParser) wrong(message string) error {
	return refuse(p.node, codeCondition, message, "conditions are made of names, and, or, not, 1 of, all of and parentheses")
}

// next reports whether the next token is the word, and takes it.
func (p *conditionParser) next(word string) bool {
	if p.at < len(p.tokens) && strings.EqualFold(p.tokens[p.at], word) {
		p.at++
		return true
	}
	return false
}

func (p *conditionParser) or() (*tree, error) { return p.chain("or", or, p.and) }

func (p *conditionParser) and() (*tree, error) { return p.chain("and", and, p.not) }

func (p *conditionParser) chain(word string, make func(...*tree) *tree, operand func() (*tree, error)) (*tree, error) {
	var kids []*tree
	for {
		t, err := operand()
		if err != nil {
			return nil, err
		}
		kids = append(kids, t)
		if !p.next(word) {
			return make(kids...), nil
		}
	}
}

func (p *conditionParser) not() (*tree, error) {
	if p.depth++; p.depth > maxConditionDepth {
		return nil, p.wrong("the condition is nested too deeply")
	}
	defer func() { p.depth-- }()
	if p.next("not") {
		t, err := p.not()
		if err != nil {
			return nil, err
		}
		return not(t), nil
	}
	if p.next("(") {
		t, err := p.or()
		if err != nil {
			return nil, err
		}
		if !p.next(")") {
			return nil, p.wrong("a parenthesis is not closed")
		}
		return t, nil
	}
	return p.name()
}

// name reads a search identifier, or a quantity of them.
func (p *conditionParser) name() (*tree, error) {
	if p.at == len(p.tokens) {
		return nil, p.wrong("the condition ends where a name should follow")
	}
	word := p.tokens[p.at]
	p.at++
	if p.next("of") {
		return p.quantity(word)
	}
	switch strings.ToLower(word) {
	case "and", "or", "not", "of", "(", ")":
		return nil, p.wrong("a name should stand in the place of " + word)
	}
	return p.resolve(word)
}

func (p *conditionParser) quantity(word string) (*tree, error) {
	if p.at == len(p.tokens) {
		return nil, p.wrong("of needs a name or them")
	}
	match := p.tokens[p.at]
	p.at++
	var kids []*tree
	for _, name := range p.names {
		fits, err := path.Match(match, name)
		if err != nil {
			return nil, p.wrong(match + " is no name")
		}
		if strings.EqualFold(match, "them") {
			fits = !strings.HasPrefix(name, "_")
		}
		if !fits {
			continue
		}
		t, err := p.resolve(name)
		if err != nil {
			return nil, err
		}
		kids = append(kids, t)
	}
	if len(kids) == 0 {
		return nil, refuse(p.node, codeIdentifier, "no search identifier fits "+match, "")
	}
	switch strings.ToLower(word) {
	case "1", "any":
		return or(kids...), nil
	case "all":
		return and(kids...), nil
	}
	return nil, p.wrong(word + " of is neither 1 of nor all of")
}
