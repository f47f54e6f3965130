package store

import (
	"context"
	"fmt"
	"iter"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"github.com/tocsin-siem/tocsin/incident"
)

// RuleDay is how many findings a rule had on a day, withdrawn ones left out.
type RuleDay struct {
	Rule  string
	Day   string // UTC, as 2026-11-21.
	Count int64
	Last  int64 // Event time of the newest, microseconds.
}

// RuleDays counts the findings of rules by day of their event time from a time on, in microseconds, by rule and day; of all rules where rule is
// empty.
func (db *DB) RuleDays(ctx context.Context, rule string, from int64) iter.Seq2[RuleDay, error] {
	q := query{
		head: "SELECT of, toString(toDate(at)), count(), toUnixTimestamp64Micro(max(at)) FROM (SELECT any(rule) AS of, argMax(time, revision) AS at, argMax(state, revision) AS last FROM " + db.table("findings") +
			" WHERE time >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND ({rule:String} = '' OR rule = {rule:String}) GROUP BY id) WHERE last != {withdrawn:String}",
		tail: "GROUP BY of, toDate(at) ORDER BY of, toDate(at)",
		args: []named{{"from", fmt.Sprint(from)}, {"rule", rule}, {"withdrawn", incident.Withdrawn.String()}},
	}
	return stream(ctx, db, "count findings", q, func(rows driver.Rows) (x RuleDay, err error) {
		var n uint64
		err = rows.Scan(&x.Rule, &x.Day, &n, &x.Last)
		x.Count = int64(n)
		return x, err
	})
}

// RuleVerdict is how often closed incidents with a finding of a rule got a verdict.
type RuleVerdict struct {
	Rule    string
	Verdict incident.Verdict
	Count   int64
}

// RuleVerdicts counts the verdicts of the incidents that are closed now, by the rules in them; of all rules where rule is empty.
func (db *DB) RuleVerdicts(ctx context.Context, rule string) iter.Seq2[RuleVerdict, error] {
	q := query{
		head: "SELECT of, said, count() FROM (SELECT argMax(status, revision) AS now, argMax(verdict, revision) AS said, arrayJoin(argMax(rules, revision)) AS of FROM " + db.table("incidents") +
			" GROUP BY id) WHERE now = {closed:String} AND said != '' AND ({rule:String} = '' OR of = {rule:String})",
		tail: "GROUP BY of, said ORDER BY of, said",
		args: []named{{"rule", rule}, {"closed", incident.Closed.String()}},
	}
	return stream(ctx, db, "count verdicts", q, func(rows driver.Rows) (x RuleVerdict, err error) {
		var n uint64
		var verdict string
		err = rows.Scan(&x.Rule, &verdict, &n)
		x.Verdict, x.Count = incident.Verdict(verdict), int64(n)
		return x, err
	})
}
