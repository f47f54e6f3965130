package expression

// CompileSlow compiles an expression so that it runs in expr's own machine, for comparison with the closures.
func CompileSlow(source string) (*Event, []*Issue) {
	tree, issue := parse(source)
	if issue != nil {
		return nil, []*Issue{issue}
	}
	return compileTree(source, tree, false, true)
}
