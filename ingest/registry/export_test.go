package registry

import "net/http"

// SetTransport lets a test answer requests itself, on the clock of its own bubble.
func (c *Client) SetTransport(rt http.RoundTripper) { c.http.Transport = rt }

// BundledProtos are the files that come along.
var BundledProtos = bundledProtos
