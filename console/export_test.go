package console

// Patterns are the addresses that a console with these settings has, but for the mounts.
func Patterns(set Settings) []string {
	var out []string
	for _, x := range (&server{set: set}).routes() {
		out = append(out, x.pattern)
	}
	return out
}
