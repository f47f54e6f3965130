package app

import (
	"errors"
	"fmt"
	"slices"
)

// ValidateRole reports what a role needs that the configuration does not have.
func (c *Config) ValidateRole(r Role) error {
	if !slices.Contains(Roles, r) {
		return fmt.Errorf("there is no role %q; use one of %v", r, Roles)
	}
	if r == RoleAll {
		return nil
	}
	var errs []error
	if len(c.Kafka.Brokers) == 0 {
		errs = append(errs, fmt.Errorf("role %s: kafka.brokers is empty: roles hand work to each other over Kafka", r))
	}
	if len(c.ClickHouse.Addr) == 0 {
		errs = append(errs, fmt.Errorf("role %s: clickhouse.addr is empty: the roles share one ClickHouse; on one machine tocsin engine serve gives several processes one embedded engine", r))
	}
	if r != RoleIngest {
		return errors.Join(errs...)
	}
	for i := range c.Sources {
		if s := &c.Sources[i]; !s.isKafka() {
			errs = append(errs, fmt.Errorf("role ingest: source %q is no topic, which members cannot share: let a log shipper send it to a topic, or use role all", s.Name))
		}
	}
	return errors.Join(errs...)
}
