package app

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/triage"
)

// ConsoleConfig is where the console listens and who may use it.
type ConsoleConfig struct {
	Listen         string       `yaml:"listen"`          // Anything but loopback needs tls and sign_in.
	URL            string       `yaml:"url"`             // Where browsers reach the console, such as https://siem.plant.example; needed with an identity provider or a proxy.
	Hosts          []string     `yaml:"hosts"`           // Names and addresses, without port, that requests may be addressed to beside loopback and that of url.
	TrustedProxies []string     `yaml:"trusted_proxies"` // Networks of proxies whose X-Forwarded-For is believed.
	TLS            ConsoleTLS   `yaml:"tls"`             // The console's certificate.
	SignIn         SignInConfig `yaml:"sign_in"`         // Who may sign in; without local and oidc.issuer nobody has to.
}

// ConsoleTLS is the console's certificate. Changed files are taken into use without a restart.
type ConsoleTLS struct {
	Cert string `yaml:"cert"` // PEM file of the certificate and those that lead to its authority.
	Key  string `yaml:"key"`  // PEM file of its key.
}

// SignInConfig says how people sign in.
type SignInConfig struct {
	Local  bool          `yaml:"local"`  // With a name and a password of Tocsin's own; tocsin user add makes the first.
	OIDC   OIDCConfig    `yaml:"oidc"`   // With an identity provider.
	Idle   time.Duration `yaml:"idle"`   // How long a session lasts without a request.
	Length time.Duration `yaml:"length"` // How long a session lasts at most.
}

// OIDCConfig is an identity provider that speaks OpenID Connect.
type OIDCConfig struct {
	Issuer       string      `yaml:"issuer"`        // Its address, as its discovery document has it; empty: none.
	ClientID     string      `yaml:"client_id"`     // What the provider knows the console as.
	ClientSecret Secret      `yaml:"client_secret"` // None for a public client.
	Scopes       []string    `yaml:"scopes"`        // What is asked for beside openid.
	NameClaim    string      `yaml:"name_claim"`    // The claim with somebody's name; empty: preferred_username, else email, else sub.
	GroupsClaim  string      `yaml:"groups_claim"`  // The claim with somebody's groups.
	Roles        []RoleGrant `yaml:"roles"`         // What groups may do; the first that fits counts, and whom none fits may nothing.
	AllowCIDRs   []string    `yaml:"allow_cidrs"`   // Internal networks that the provider may be in.
	CA           string      `yaml:"ca"`            // PEM file of the provider's certification authority; empty: the system's.
}

// RoleGrant gives a group a role on some sites.
type RoleGrant struct {
	Group string   `yaml:"group"` // Its name in the claim; "*" is everybody whom the provider lets in.
	Role  string   `yaml:"role"`  // viewer, analyst, author or admin.
	Sites []string `yaml:"sites"` // Sites; empty: all.
}

func defaultConsole() ConsoleConfig {
	return ConsoleConfig{
		Listen: "127.0.0.1:8080",
		SignIn: SignInConfig{Idle: time.Hour, Length: 12 * time.Hour, OIDC: OIDCConfig{Scopes: []string{"profile", "email", "groups"}, GroupsClaim: "groups"}},
	}
}

// on reports whether people sign in.
func (c *SignInConfig) on() bool { return c.Local || c.OIDC.Issuer != "" }

// secure reports whether browsers reach the console over TLS, ours or a proxy's.
func (c *ConsoleConfig) secure() bool {
	return c.TLS.Cert != "" || strings.HasPrefix(c.URL, "https://")
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (c *ConsoleConfig) validate() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("console.listen: %q is not host:port, such as 127.0.0.1:8080", c.Listen)
	}
	var errs []error
	bad := func(key, format string, args ...any) {
		errs = append(errs, fmt.Errorf("console.%s: %s", key, fmt.Sprintf(format, args...)))
	}
	if !isLoopback(host) {
		var missing []string
		if c.TLS.Cert == "" || c.TLS.Key == "" {
			missing = append(missing, "set console.tls.cert and console.tls.key")
		}
		if !c.SignIn.on() {
			missing = append(missing, "set console.sign_in.local or console.sign_in.oidc")
		}
		if len(c.Hosts) == 0 && c.URL == "" {
			missing = append(missing, "name in console.hosts or console.url what people type")
		}
		if len(missing) > 0 {
			bad("listen", "%q is not on loopback, so others reach it: %s; or use 127.0.0.1 and a tunnel", c.Listen, strings.Join(missing, ", "))
		}
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		bad("tls", "cert and key belong together: set both or neither")
	}
	for _, p := range c.TrustedProxies {
		if _, err := netip.ParsePrefix(p); err != nil {
			bad("trusted_proxies", "%q is no network; write it like 10.0.0.0/8", p)
		}
	}
	if u, err := url.Parse(c.URL); c.URL != "" && (err != nil || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname()))) {
		bad("url", "%q is not the console's address; write it like https://siem.plant.example, without a path, and http only on loopback", c.URL)
	}
	if s := c.SignIn; s.Idle < 10*time.Minute || s.Length < s.Idle || s.Length > 30*24*time.Hour {
		bad("sign_in", "idle is at least 10m, and length at least as long and at most 720h")
	}
	c.SignIn.OIDC.validate(c.URL, bad)
	return errors.Join(errs...)
}

func (o *OIDCConfig) validate(address string, bad func(key, format string, args ...any)) {
	if o.Issuer == "" {
		if o.ClientID != "" || len(o.Roles) > 0 {
			bad("sign_in.oidc.issuer", "set it: the rest says nothing without it")
		}
		return
	}
	if u, err := url.Parse(o.Issuer); err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		bad("sign_in.oidc.issuer", "%q is not an https address", o.Issuer)
	}
	if o.ClientID == "" {
		bad("sign_in.oidc.client_id", "set what the provider knows the console as")
	}
	if address == "" {
		bad("url", "set it, such as https://siem.plant.example: the provider sends people back to it, to the path %s", access.OIDCCallback)
	}
	if len(o.Roles) == 0 {
		bad("sign_in.oidc.roles", "nobody could do anything: map groups to roles, such as - {group: soc, role: analyst}")
	}
	for i, g := range o.Roles {
		if _, err := access.RoleOf(g.Role); err != nil || g.Group == "" {
			bad(fmt.Sprintf("sign_in.oidc.roles[%d]", i), "give a group and a role: viewer, analyst, author or admin")
		}
		if err := access.CheckSites(g.Sites); err != nil {
			bad(fmt.Sprintf("sign_in.oidc.roles[%d].sites", i), "%v", err)
		}
	}
	if _, err := triage.NewGuard(o.AllowCIDRs); err != nil {
		bad("sign_in.oidc.allow_cidrs", "%v", err)
	}
}
