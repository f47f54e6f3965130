package event

// WhereOp is what a Where asks.
type WhereOp uint8

// The operators. An unknown value reads as "", 0 or false, as in rules.
const (
	WhereUndecided    WhereOp = iota // Columns cannot tell: the expression itself must be asked.
	WhereAll                         // All of Of hold; with none it always holds.
	WhereAny                         // One of Of holds; with none it never does.
	WhereNot                         // Of[0] does not hold.
	WhereKnown                       // The field has a value.
	WhereEqual                       // The field is one of Strs or Nums; a boolean is known to be true.
	WhereLess                        // The number is less than Nums[0].
	WhereAtMost                      // The number is Nums[0] or less.
	WhereContains                    // The text holds one of Strs.
	WherePrefix                      // The text begins with one of Strs.
	WhereSuffix                      // The text ends with one of Strs.
	WhereEqualFold                   // As their namesakes without regard to case; Strs are of ASCII alone and not empty.
	WhereContainsFold                //
	WherePrefixFold                  //
	WhereSuffixFold                  //
	WhereWithin                      // The address lies in one of the networks of Strs.
)

// WherePart is what of a field is looked at.
type WherePart uint8

// The parts of a field.
const (
	WholeField WherePart = iota
	HourOf               // Of a time: hour of the day, 0 to 23, UTC.
	WeekdayOf            // Of a time: day of the week, 1 Monday to 7 Sunday, UTC.
)

// Where is a condition over an event in a form that a store can put into its own language: a tree of simple tests of fields, with holes where
// only the expression it was made from can tell. It is immutable.
type Where struct {
	Op    WhereOp
	Field *Field
	Part  WherePart
	Strs  []string
	Nums  []int64 // Times in milliseconds.
	Of    []*Where
}
