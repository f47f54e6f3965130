package access

import (
	"context"
	"fmt"
	"net/url"
)

// SignedOut is the path that an identity provider sends people back to who have signed out there.
const SignedOut = "/sign-in"

// EndSession is where somebody signs out at the provider as well (OpenID Connect RP-Initiated Logout 1.0, section 2); "" where the provider announces
// no such place. The ID token is not kept here, so none is sent as a hint: the provider asks the person whether they mean it.
func (o *OIDC) EndSession(ctx context.Context) (string, error) {
	p, err := o.discover(ctx)
	if err != nil {
		return "", err
	}
	var announced struct {
		End string `json:"end_session_endpoint"`
	}
	if err := p.Claims(&announced); err != nil {
		return "", fmt.Errorf("%w: %w", ErrProvider, err)
	}
	if announced.End == "" {
		return "", nil
	}
	to, err := url.Parse(announced.End)
	if err != nil || to.Host == "" || to.Scheme != "https" && to.Scheme != schemeOf(o.set.Issuer) {
		return "", fmt.Errorf("%w: its end_session_endpoint %.200q is no address to send people to", ErrProvider, announced.End)
	}
	back, err := url.Parse(o.set.Redirect)
	if err != nil {
		return "", fmt.Errorf("where people come back to: %w", err)
	}
	q := to.Query()
	q.Set("client_id", o.set.ClientID)
	q.Set("post_logout_redirect_uri", back.ResolveReference(&url.URL{Path: SignedOut}).String())
	to.RawQuery = q.Encode()
	return to.String(), nil
}

func schemeOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme
}
