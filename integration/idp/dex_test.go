// Package idp_test signs people in with a real identity provider: Dex, in this process, on loopback. It is a module of its own, so that what Dex
// needs is nobody else's concern.
package idp_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/dexidp/dex/server"
	"github.com/dexidp/dex/storage"
	"github.com/dexidp/dex/storage/memory"
	"golang.org/x/crypto/bcrypt"
)

const (
	clientID     = "tocsin"
	clientSecret = "the client's secret"
	otherClient  = "another-client"
	dexPassword  = "ana's password at the provider"
)

// provider is a Dex with one person of its own, ana@plant.example, and a connector that signs kilgore@kilgore.trout of the group authors in without
// asking.
type provider struct {
	issuer string
	server *httptest.Server
}

// startDex starts a Dex whose clock is off by so much.
func startDex(t *testing.T, off time.Duration, redirects ...string) *provider {
	t.Helper()
	front := httptest.NewUnstartedServer(nil)
	issuer := "http://" + front.Listener.Addr().String() + "/dex"
	quiet := slog.New(slog.DiscardHandler)
	kept := memory.New(quiet)
	ctx, cancel := context.WithCancel(context.Background())
	hash, err := bcrypt.GenerateFromPassword([]byte(dexPassword), 10)
	must(t, err)
	for _, c := range []storage.Client{
		{ID: clientID, Secret: clientSecret, RedirectURIs: redirects, Name: "Tocsin"},
		{ID: otherClient, Secret: clientSecret, RedirectURIs: redirects, Name: "Another"},
	} {
		must(t, kept.CreateClient(ctx, c))
	}
	must(t, kept.CreatePassword(ctx, storage.Password{Email: "ana@plant.example", Hash: hash, Username: "Ana", UserID: "1000"}))
	must(t, kept.CreateConnector(ctx, storage.Connector{ID: "local", Type: server.LocalConnector, Name: "Email"}))
	must(t, kept.CreateConnector(ctx, storage.Connector{ID: "mock", Type: "mockCallback", Name: "Mock", Config: []byte("{}")}))
	dex, err := server.NewServer(ctx, server.Config{
		Issuer: issuer, Storage: kept, SkipApprovalScreen: true, Logger: quiet, IDTokensValidFor: time.Hour,
		Now: func() time.Time { return time.Now().Add(off) },
	})
	must(t, err)
	front.Config.Handler = dex
	front.Start()
	t.Cleanup(func() {
		front.Close()
		cancel()
	})
	return &provider{issuer, front}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
