# Of the output of `go test -v`: the failed tests, each with the last lines it printed. They may be far from the end of the output.
/^=== / { test = $3; next }
/^ *--- FAIL: / { failed[++n] = $3; next }
{ said[test, ++count[test]] = $0 }
END {
	for (i = 1; i <= n; i++) {
		test = failed[i]
		print "--- FAIL: " test
		for (line = count[test] > 60 ? count[test] - 59 : 1; line <= count[test]; line++) print said[test, line]
	}
}
