package kafka_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/tocsin-siem/tocsin/ingest/kafka"
)

func TestSASLLogsInWithTheRightPasswordOnly(t *testing.T) {
	for ours, theirs := range map[string]string{"plain": "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512"} {
		t.Run(ours, func(t *testing.T) {
			broker := fake(t, kfake.EnableSASL(), kfake.Superuser(theirs, "tocsin", "right"), kfake.SeedTopics(1, "logs"))
			set := func(password string) func(*kafka.Config) {
				return func(cfg *kafka.Config) {
					cfg.SASL = kafka.SASL{Mechanism: ours, Username: "tocsin", Password: password}
				}
			}
			c, _ := connect(t, broker, set("right"))
			if r := open(t, c, kafka.Earliest); r.High() != 0 {
				t.Errorf("high watermark %d of an empty topic", r.High())
			}
			c, _ = connect(t, broker, set("wrong"))
			_, err := c.Open(t.Context(), "logs", 0, kafka.Earliest)
			if err == nil || !strings.Contains(err.Error(), "SASL") {
				t.Errorf("error %v of a wrong password", err)
			} else if strings.Contains(err.Error(), "wrong") {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

func TestTLSWithAClientCertificate(t *testing.T) {
	authority := newAuthority(t)
	serverCert, _, _ := authority.issue(t, "broker")
	_, certFile, keyFile := authority.issue(t, "tocsin")
	_, strangerCert, strangerKey := newAuthority(t).issue(t, "stranger")
	broker := fake(t, kfake.SeedTopics(1, "logs"), kfake.TLS(&tls.Config{
		Certificates: []tls.Certificate{serverCert}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: authority.pool(),
	}))
	set := func(t kafka.TLS) func(*kafka.Config) {
		return func(cfg *kafka.Config) { cfg.TLS = t }
	}
	c, _ := connect(t, broker, set(kafka.TLS{Enabled: true, CA: authority.file, Cert: certFile, Key: keyFile}))
	open(t, c, kafka.Earliest)

	for name, bad := range map[string]kafka.TLS{
		"no certificate":            {Enabled: true, CA: authority.file},
		"a stranger's certificate":  {Enabled: true, CA: authority.file, Cert: strangerCert, Key: strangerKey},
		"an authority not trusted":  {Enabled: true, CA: newAuthority(t).file, Cert: certFile, Key: keyFile},
		"a broker of another name":  {Enabled: true, CA: authority.file, Cert: certFile, Key: keyFile, ServerName: "elsewhere.example.net"},
		"the system's authorities ": {Enabled: true, Cert: certFile, Key: keyFile},
	} {
		c, _ := connect(t, broker, set(bad))
		if _, err := c.Open(t.Context(), "logs", 0, kafka.Earliest); err == nil || !strings.Contains(err.Error(), "tls") {
			t.Errorf("%s: error %v, want one of TLS", name, err)
		}
	}
}

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, file: writePEM(t, "ca", "CERTIFICATE", der)}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

func (a *authority) issue(t *testing.T, name string) (pair tls.Certificate, certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, form, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = writePEM(t, name, "CERTIFICATE", der), writePEM(t, name+"-key", "PRIVATE KEY", secret)
	if pair, err = tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	return pair, certFile, keyFile
}

func writePEM(t *testing.T, name, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name+".pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
