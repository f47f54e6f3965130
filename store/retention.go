package store

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/event"
)

// minLog is the least time hits are kept: several checkpoints fit into it.
const minLog = day

func (r Retention) check() []error {
	var errs []error
	whole := func(key string, d, least time.Duration) {
		if d < least || d%day != 0 {
			errs = append(errs, fmt.Errorf("clickhouse.retention.%s is %v: want whole days of 24h, at least %v", key, d, least))
		}
	}
	whole("events", r.Events, day)
	whole("log", r.Log, minLog)
	whole("attempts", r.Attempts, day)
	whole("audit", r.Audit, day)
	for _, name := range slices.Sorted(maps.Keys(r.Classes)) {
		whole("classes."+name, r.Classes[name], day)
		if _, err := event.ParseClass(name); err != nil || strings.Contains(name, ".") {
			errs = append(errs, fmt.Errorf("clickhouse.retention.classes: %q is not a class: write one such as robot_state, without an activity", name))
		}
	}
	return errs
}

func days(d time.Duration) int { return int(d / day) }

// eventsTTL is the expression after which an event's row is removed.
func (r Retention) eventsTTL() string {
	byDays := map[int][]string{}
	for _, name := range slices.Sorted(maps.Keys(r.Classes)) {
		if c, err := event.ParseClass(name); err == nil {
			n := days(r.Classes[name])
			byDays[n] = append(byDays[n], strconv.FormatUint(uint64(c.UID), 10))
		}
	}
	if len(byDays) == 0 {
		return ttl(days(r.Events))
	}
	var b strings.Builder
	b.WriteString("written + toIntervalDay(multiIf(")
	for _, n := range slices.Sorted(maps.Keys(byDays)) {
		fmt.Fprintf(&b, "(class_uid IN (%s)), %d, ", strings.Join(byDays[n], ", "), n)
	}
	fmt.Fprintf(&b, "%d))", days(r.Events))
	return b.String()
}

func ttl(n int) string { return fmt.Sprintf("written + toIntervalDay(%d)", n) }

// longest is the longest time any event is kept.
func (r Retention) longest() time.Duration {
	return slices.MaxFunc(append(slices.Collect(maps.Values(r.Classes)), r.Events), cmp.Compare[time.Duration])
}

// applyRetention gives the tables the configured life times, where they differ. Hits, notes, actions and markers have none: prune removes
// them, because they must outlive the oldest checkpoint kept.
func (db *DB) applyRetention(ctx context.Context) error {
	r := db.cfg.Retention
	for _, t := range []struct{ table, expression string }{
		{"events", r.eventsTTL()},
		{"entity_index", ttl(days(r.longest()))},
		{"rejects", ttl(days(r.Events))},
		{"retries", ttl(days(r.Events))},
		{"attempts", fmt.Sprintf("toDateTime(at) + toIntervalDay(%d)", days(r.Attempts))},
		{"audit", fmt.Sprintf("toDateTime(at) + toIntervalDay(%d)", days(r.Audit))},
	} {
		var ddl string
		if err := db.row(ctx, "SELECT create_table_query FROM system.tables WHERE database = {db:String} AND name = {t:String}",
			named{"db", db.cfg.Database}, named{"t", db.stored(t.table)}).Scan(&ddl); err != nil {
			return fmt.Errorf("read the definition of table %s: %w", t.table, err)
		}
		if strings.Contains(ddl, "TTL "+t.expression+" SETTINGS") {
			continue
		}
		statement := "ALTER TABLE " + db.table(db.stored(t.table)) + db.onCluster() + " MODIFY TTL " + t.expression + " SETTINGS materialize_ttl_after_modify = 0"
		if err := db.conn.Exec(ctx, statement); err != nil {
			return fmt.Errorf("set the retention of table %s: %w", t.table, err)
		}
	}
	return nil
}
