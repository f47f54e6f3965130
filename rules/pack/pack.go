// Package pack holds the shipped rules, one folder per domain, each rule with its tests. docs/rules.md explains the language.
package pack

import "embed"

// Files are the rule files: load them with rules.Load(pack.Files, ".").
//
//go:embed identity network_access endpoint network ot robot cross
var Files embed.FS
