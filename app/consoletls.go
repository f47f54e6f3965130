package app

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

// certificate is the console's, read again when its files have changed.
type certificate struct {
	files ConsoleTLS
	log   *slog.Logger

	mu     sync.Mutex
	pair   *tls.Certificate // guarded by mu
	stamp  [2]time.Time     // guarded by mu: the files' times when they were read
	looked time.Time        // guarded by mu
}

// lookAgain is how often the files are looked at.
const lookAgain = 10 * time.Second

func newCertificate(files ConsoleTLS, log *slog.Logger) (*certificate, error) {
	c := &certificate{files: files, log: log}
	pair, err := tls.LoadX509KeyPair(files.Cert, files.Key)
	if err != nil {
		return nil, fmt.Errorf("console.tls: %w", err)
	}
	c.pair, c.stamp, c.looked = &pair, c.times(), time.Now()
	return c, nil
}

func (c *certificate) times() (t [2]time.Time) {
	for i, name := range []string{c.files.Cert, c.files.Key} {
		if info, err := os.Stat(name); err == nil {
			t[i] = info.ModTime()
		}
	}
	return t
}

// get is tls.Config.GetCertificate. A pair that cannot be read, such as one that is being replaced, leaves the old one in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.looked) < lookAgain {
		return c.pair, nil
	}
	c.looked = time.Now()
	now := c.times()
	if now == c.stamp {
		return c.pair, nil
	}
	pair, err := tls.LoadX509KeyPair(c.files.Cert, c.files.Key)
	if err != nil {
		c.log.Warn("the console's new certificate cannot be read, the old one stays", "err", err)
		return c.pair, nil
	}
	c.pair, c.stamp = &pair, now
	c.log.Info("the console's certificate was read again")
	return c.pair, nil
}

func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}
}

// LocalClient is a client for the console of this configuration on this machine, and the scheme to use. Over TLS it trusts the configured certificate
// and no other, whatever name that has.
func LocalClient(cfg *Config) (client *http.Client, scheme string, err error) {
	transport := &http.Transport{DisableKeepAlives: true} // And no proxy of the environment.
	client = &http.Client{Transport: transport}
	if cfg.Console.TLS.Cert == "" {
		return client, "http", nil
	}
	pair, err := tls.LoadX509KeyPair(cfg.Console.TLS.Cert, cfg.Console.TLS.Key)
	if err != nil {
		return nil, "", fmt.Errorf("console.tls: %w", err)
	}
	transport.TLSClientConfig = &tls.Config{
		MinVersion: tls.VersionTLS12, InsecureSkipVerify: true, // The next lines are stricter.
		VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
			if len(raw) == 0 || !bytes.Equal(raw[0], pair.Certificate[0]) {
				return errors.New("what answers has another certificate than console.tls.cert")
			}
			return nil
		},
	}
	return client, "https", nil
}

// LocalAddress is where a process of this machine reaches an address that is listened on: that of all interfaces is reached on loopback.
func LocalAddress(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen // The configuration was checked: it has a port.
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
		if ip != nil && ip.To4() == nil {
			host = "::1"
		}
	}
	return net.JoinHostPort(host, port)
}
