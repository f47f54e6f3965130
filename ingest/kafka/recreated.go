package kafka

import (
	"errors"
	"fmt"
)

// Recreated says that a partition is not the one we have read: its topic was deleted and made again, as its id says or an end before what we have read
// of it. Where it is only the end that says so, the brokers may also have lost records.
type Recreated struct {
	Source    string // Configured name, with the topic behind it where it is a pattern's.
	Topic     string
	Partition int32
	Known     int64  // Where we were.
	High      int64  // Where the partition ends; -1: not known.
	Was, Is   string // The topic's ids as Kafka's tools write them; "": not known.
}

func (e *Recreated) Error() string {
	if e.Was != "" {
		return fmt.Sprintf("source %[1]s: topic %[2]s was deleted and made again: its id was %[3]s and is %[4]s now (partition %[5]d, read up to offset %[6]d "+
			"before). Nothing of it is read until somebody has looked. If the topic as it is now is to be read from its beginning, run: "+
			"tocsin topics accept %[1]s", e.Source, e.Topic, e.Was, e.Is, e.Partition, e.Known)
	}
	return fmt.Sprintf("source %[1]s: topic %[2]s partition %[3]d ends at offset %[4]d, but was read up to %[5]d before: the topic was deleted and made again, "+
		"or its brokers lost records. Nothing of it is read until somebody has looked. If the topic as it is now is to be read from its beginning, run: "+
		"tocsin topics accept %[1]s", e.Source, e.Topic, e.Partition, e.High, e.Known)
}

func (p *part) recreated(known, high int64, ids *Replaced) *Recreated {
	return &Recreated{
		Source: p.source.plain(p.at.topic), Topic: p.at.topic, Partition: p.at.partition, Known: known, High: high, Was: ids.Was, Is: ids.Is,
	}
}

// same holds what ids topics have now against those of the partitions that are ours: a topic may be deleted and made again between two fetches, so
// that these notice nothing.
func (c *Consumer) same(ids map[string]string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sources {
		for _, p := range s.order {
			if other, differs := errors.AsType[*Replaced](replaced(p.at.topic, p.id, ids[p.at.topic])); differs && p.claim != nil {
				return p.recreated(p.next, p.high, other)
			}
		}
	}
	return nil
}

func (c *Consumer) idOf(p *part) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return p.id
}
