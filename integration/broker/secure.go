package broker

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Secure is the broker's second way in: TLS that asks for the client's certificate, and a login with SASL PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512.
type Secure struct {
	Addr           string
	CA, Cert, Key  string // PEM files: whom to trust, and the client's own certificate and key.
	User, Password string
}

const (
	secureUser     = "tocsin"
	securePassword = "correct horse battery staple" // Nothing but this test's broker knows it.
)

// Secure is how to get in by the second way; Settings.Secure has to be set.
func (b *Broker) Secure() Secure {
	return Secure{
		Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(b.ports.secure)),
		CA:   filepath.Join(b.folder, "ca.pem"), Cert: filepath.Join(b.folder, "client.pem"), Key: filepath.Join(b.folder, "client.key"),
		User: secureUser, Password: securePassword,
	}
}

// secureProperties adds the second listener to server properties.
func secureProperties(properties map[string]string, folder string, at ports) {
	listener := ",SECURE://127.0.0.1:" + strconv.Itoa(at.secure)
	properties["listeners"] += listener
	properties["advertised.listeners"] += listener
	properties["listener.security.protocol.map"] += ",SECURE:SASL_SSL"
	const scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
	for key, value := range map[string]string{
		"ssl.keystore.type":                         "PEM",
		"ssl.keystore.location":                     filepath.Join(folder, "server.pem"),
		"ssl.truststore.type":                       "PEM",
		"ssl.truststore.location":                   filepath.Join(folder, "ca.pem"),
		"ssl.client.auth":                           "required",
		"sasl.enabled.mechanisms":                   "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		"plain.sasl.jaas.config":                    `org.apache.kafka.common.security.plain.PlainLoginModule required user_` + secureUser + `="` + securePassword + `";`,
		"scram-sha-256.sasl.jaas.config":            scram,
		"scram-sha-512.sasl.jaas.config":            scram,
		"connections.max.reauth.ms":                 "0",
		"connection.failed.authentication.delay.ms": "0",
	} {
		properties["listener.name.secure."+key] = value
	}
}

// scramUsers are arguments of the storage tool: SCRAM users are kept in the metadata from its very beginning.
func scramUsers() []string {
	who := "=[name=\"" + secureUser + "\",password=\"" + securePassword + "\"]"
	return []string{"--add-scram", "SCRAM-SHA-256" + who, "--add-scram", "SCRAM-SHA-512" + who}
}

// writeCertificates makes an authority and two certificates of it, for 127.0.0.1 and for a client.
func writeCertificates(folder string) error {
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	ca, err := issue(authority, nil)
	if err != nil {
		return err
	}
	server, err := issue(&x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "broker"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca)
	if err != nil {
		return err
	}
	client, err := issue(&x509.Certificate{
		SerialNumber: big.NewInt(3), Subject: pkix.Name{CommonName: "tocsin"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, ca)
	if err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		"ca.pem": ca.pem, "server.pem": append(server.keyPEM, server.pem...), "client.pem": client.pem, "client.key": client.keyPEM,
	} {
		if err := os.WriteFile(filepath.Join(folder, name), content, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// identity is a certificate with its key.
type identity struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pem, keyPEM []byte
}

// issue makes a certificate that is good for a day, signed by an authority or, where that is nil, by itself.
func issue(template *x509.Certificate, by *identity) (*identity, error) {
	now := time.Now() //nolint:forbidigo // Certificates hold for a time.
	template.NotBefore, template.NotAfter = now.Add(-time.Hour), now.Add(24*time.Hour)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	parent, signer := template, key
	if by != nil {
		parent, signer = by.certificate, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &identity{
		certificate: certificate, key: key,
		pem:    pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		keyPEM: pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}, nil
}
