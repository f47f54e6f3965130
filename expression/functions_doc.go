package expression

// otherFunctions documents what resolve replaces, what works on the hits of a match, and what comes from expr.
var otherFunctions = []Function{
	{Name: "asset", Signature: "asset(id string).field", Doc: "An attribute of the inventory's entry for a canonical id; unknown ones read as the zero value.", Example: `asset("robot:r1").criticality`, Result: "3"},
	{Name: "known", Signature: "known(path) bool", Doc: "The field has a value. A false or a 0 that the source stated is known."},
	{
		Name: "raw", Signature: "raw(constant string) string", Over: "event",
		Doc: "The value of one of the source's own fields under its name there, exactly as spelt, such as Image of a Sysmon event; \"\" where the record has none. The path raw.Image is the same, also in bind, distinct and the like.",
	},
	{Name: "duration", Signature: "duration(constant string) int", Doc: "A length of time in milliseconds; units ms, s, m, h, d, w.", Example: `duration("1h30m")`, Result: "5400000"},

	{Name: "count", Signature: "count(step) int, count(step, .path == …) int", Doc: "How many hits of the step are in the match, or how many of them satisfy the predicate. Over a list of strings: count(list, # == …).", Over: "match"},
	{Name: "distinct", Signature: `distinct(step, "path") int`, Doc: "How many different known values of the field the hits of the step have.", Over: "match"},
	{Name: "sum", Signature: `sum(step, "path") number`, Doc: "Sum of a number over the hits of the step; unknown counts as nothing.", Over: "match"},
	{Name: "first", Signature: "first(step).path", Doc: "The field in the earliest hit of the step.", Over: "match"},
	{Name: "last", Signature: "last(step).path", Doc: "The field in the latest hit of the step, which is what step.path reads too.", Over: "match"},

	{Name: "any", Signature: "any(list, # == …) bool", Doc: "Some value of the list, or some hit of a step, satisfies the predicate.", Example: `any(["a", "b"], # == "b")`, Result: "true"},
	{Name: "all", Signature: "all(list, # == …) bool", Doc: "Every value satisfies it; true for an empty list.", Example: `all(["a", "b"], # == "b")`, Result: "false"},
	{Name: "none", Signature: "none(list, # == …) bool", Doc: "No value satisfies it.", Example: `none(["a", "b"], # == "c")`, Result: "true"},
	{Name: "one", Signature: "one(list, # == …) bool", Doc: "Exactly one value satisfies it.", Example: `one(["a", "b"], # == "a")`, Result: "true"},
	{Name: "filter", Signature: "filter(list, # == …) []string", Doc: "The values that satisfy the predicate.", Example: `len(filter(["a", "b"], # != "a"))`, Result: "1"},
	{Name: "map", Signature: "map(list, lower(#)) []string", Doc: "Each value replaced by the result of an expression.", Example: `"A" in map(["a", "b"], upper(#))`, Result: "true"},
	{Name: "find", Signature: "find(list, # == …) string", Doc: "The first value that satisfies the predicate; an expression that finds none has no result."},
	{Name: "len", Signature: "len(x string or []string) int", Doc: "Characters of a string, or values of a list.", Example: `len("robot")`, Result: "5"},

	{Name: "lower", Signature: "lower(s string) string", Doc: "Lower case.", Example: `lower("AbC")`, Result: "abc"},
	{Name: "upper", Signature: "upper(s string) string", Doc: "Upper case.", Example: `upper("AbC")`, Result: "ABC"},
	{Name: "trim", Signature: "trim(s string, cut string) string", Doc: "Without white space, or without the characters of cut, at both ends.", Example: `trim("  x ")`, Result: "x"},
	{Name: "trimPrefix", Signature: "trimPrefix(s string, prefix string) string", Doc: "Without a prefix.", Example: `trimPrefix("robot:r1", "robot:")`, Result: "r1"},
	{Name: "trimSuffix", Signature: "trimSuffix(s string, suffix string) string", Doc: "Without a suffix.", Example: `trimSuffix("r1.local", ".local")`, Result: "r1"},
	{Name: "hasPrefix", Signature: "hasPrefix(s string, prefix string) bool", Doc: "Same as s startsWith prefix.", Example: `hasPrefix("robot", "ro")`, Result: "true"},
	{Name: "hasSuffix", Signature: "hasSuffix(s string, suffix string) bool", Doc: "Same as s endsWith suffix.", Example: `hasSuffix("robot", "bot")`, Result: "true"},
	{Name: "indexOf", Signature: "indexOf(s string, part string) int", Doc: "Byte offset of the first occurrence, −1 if there is none.", Example: `indexOf("robot", "b")`, Result: "2"},
	{Name: "lastIndexOf", Signature: "lastIndexOf(s string, part string) int", Doc: "Byte offset of the last occurrence, −1 if there is none.", Example: `lastIndexOf("robot", "o")`, Result: "3"},
	{Name: "split", Signature: "split(s string, separator string) []string", Doc: "The parts of a string.", Example: `"b" in split("a,b", ",")`, Result: "true"},
	{Name: "join", Signature: "join(list []string, glue string) string", Doc: "The values of a list as one string.", Example: `join(["a", "b"], "-")`, Result: "a-b"},

	{Name: "abs", Signature: "abs(n number) number", Doc: "Without its sign.", Example: `abs(-3)`, Result: "3"},
	{Name: "ceil", Signature: "ceil(n number) float", Doc: "Rounded up.", Example: `ceil(1.2)`, Result: "2"},
	{Name: "floor", Signature: "floor(n number) float", Doc: "Rounded down.", Example: `floor(1.8)`, Result: "1"},
	{Name: "round", Signature: "round(n number) float", Doc: "Rounded to the nearest, halves away from zero.", Example: `round(1.5)`, Result: "2"},
	{Name: "min", Signature: `min(a number, b number …) number, min(step, "path")`, Doc: "The least; over the hits of a step the least known value, 0 if there is none.", Example: `min(3, 2)`, Result: "2"},
	{Name: "max", Signature: `max(a number, b number …) number, max(step, "path")`, Doc: "The greatest; over the hits of a step the greatest known value, 0 if there is none.", Example: `max(3, 2)`, Result: "3"},
	{Name: "int", Signature: "int(x number or string) int", Doc: "As an integer, cut off; a string that is none has no result.", Example: `int("42")`, Result: "42"},
	{Name: "float", Signature: "float(x number or string) float", Doc: "As a float; a string that is none has no result.", Example: `float("1.5")`, Result: "1.5"},
	{Name: "string", Signature: "string(x) string", Doc: "As text.", Example: `string(22)`, Result: "22"},
}
