package rules

// Untyped is for tests.
var Untyped = untyped
