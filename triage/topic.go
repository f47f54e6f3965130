package triage

import (
	"context"
	"time"

	"github.com/tocsin-siem/tocsin/triage/adapter"
)

// Topics takes records to Kafka. Publish returns once the brokers have it; records with the same key keep their order.
type Topics interface {
	Publish(ctx context.Context, topic string, key, value []byte, headers map[string]string) error
}

// topic sends to a Kafka topic of the configured brokers. The key is the incident's id.
type topic struct {
	name   string
	topics Topics
}

// carry implements carrier. The headers are those of CloudEvents' structured mode, and the id.
func (t *topic) carry(ctx context.Context, l *adapter.Letter, p adapter.Parcel, _ time.Time) answer {
	header := map[string]string{"content-type": "application/cloudevents+json; charset=UTF-8", "webhook-id": l.ID}
	if err := t.topics.Publish(ctx, t.name, []byte(p.Key), p.Body, header); err != nil {
		return failed(err)
	}
	return answer{verdict: delivered}
}
