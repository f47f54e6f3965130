// Package jsonscan reads untrusted JSON, strictly and in one pass.
//
// It is the one JSON reader of the decode layer. A Plan names the wanted paths; Scan walks a
// document once, checks all of it and fills a Result with the values found. Parse gives the same
// strictness for cold paths that walk a document freely, and the Append functions write JSON.
//
// What is refused: anything RFC 8259 does not allow (comments, trailing commas, leading zeros, bad
// escapes, raw control characters, bytes after the document), invalid UTF-8 and lone surrogates
// anywhere, the same key twice in any object of the document (compared after unescaping), nesting
// deeper than the limit and documents larger than the limit. Keys are case-sensitive. Integers are
// exact to 64 bits. Parsers are known to disagree on all of these, and an attacker who knows which
// parser reads a log can hide behind the disagreement.
//
// Ownership: strings and slices handed out alias the scanned document, or, where a string had
// escapes, memory that is never written again. They stay valid, also after the Result is used for
// another document, for as long as the caller leaves the document's bytes unchanged. Copy the
// document, or the strings, when the buffer is going to be reused.
//
// Concurrency: a Plan is immutable and may be shared; a Result belongs to one goroutine.
package jsonscan
