// Package kafka reads and writes Kafka topics. Connections, TLS, SASL, metadata and groups are kafka-go's; the fetch loop and the decoder of
// record batches are ours, because kafka-go v0.4.51 repeats or stalls on emptied batches, hands out control markers and aborted records, and
// unpacks without a bound.
package kafka

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
)

// Cluster is one Kafka cluster: where it is and how we log in. Safe for concurrent use.
type Cluster struct {
	config Config
	log    *slog.Logger
	tls    *tls.Config
	sasl   sasl.Mechanism
	client *kafka.Client // For requests that any broker or kafka-go's routing can answer; its Transport keeps connections.
	zstd   *zstd.Decoder // One for all readers: it is safe for concurrent use and large.
	// network opens plain connections; tests have one in memory.
	network func(ctx context.Context, network, address string) (net.Conn, error)
	first   atomic.Uint32 // Index of the configured broker to ask first; moves on when one does not answer.
}

// Connect checks the settings and reads the certificate files; it opens no connection.
func Connect(cfg Config, log *slog.Logger) (*Cluster, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	plain := net.Dialer{Timeout: cfg.DialTimeout, KeepAlive: 30 * time.Second}
	c := &Cluster{config: cfg, log: log, network: plain.DialContext}
	var err error
	if c.tls, err = cfg.TLS.config(); err != nil {
		return nil, err
	}
	if c.sasl, err = cfg.SASL.mechanism(); err != nil {
		return nil, err
	}
	// 0: as many at once as there are processors.
	c.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(uint64(cfg.MaxBatch)))
	if err != nil {
		return nil, fmt.Errorf("kafka.max_batch: %w", err)
	}
	c.client = &kafka.Client{
		Addr:    kafka.TCP(cfg.Brokers...),
		Timeout: cfg.RequestTimeout,
		Transport: &kafka.Transport{
			Dial:        c.dial,
			DialTimeout: cfg.DialTimeout,
			ClientID:    cfg.ClientID,
			SASL:        c.sasl,
		},
	}
	return c, nil
}

// Close gives back idle connections and memory. Readers must be closed before.
func (c *Cluster) Close() {
	c.client.Transport.(*kafka.Transport).CloseIdleConnections()
	c.zstd.Close()
}

// dial opens one connection, encrypted where the settings say so. It is what kafka-go's dialers are given, so that TLS is done in one place and
// within ctx.
func (c *Cluster) dial(ctx context.Context, network, address string) (net.Conn, error) {
	raw, err := c.network(ctx, network, address)
	if err != nil || c.tls == nil {
		return raw, err
	}
	cfg := c.tls
	if cfg.ServerName == "" {
		host, _, err := net.SplitHostPort(address)
		if err != nil {
			_ = raw.Close()
			return nil, err
		}
		cfg = cfg.Clone()
		cfg.ServerName = host
	}
	secure := tls.Client(raw, cfg)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = raw.Close()
		return nil, fmt.Errorf("TLS with %s: %w", address, err)
	}
	return secure, nil
}

// dialer is the one kafka-go's ConsumerGroup and Conn use.
func (c *Cluster) dialer() *kafka.Dialer {
	return &kafka.Dialer{ClientID: c.config.ClientID, Timeout: c.config.DialTimeout, DialFunc: c.dial, SASLMechanism: c.sasl}
}
