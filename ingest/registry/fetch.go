package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// answer is what the registry says of a schema, by id or by subject and version.
type answer struct {
	Schema     string      `json:"schema"`
	Type       string      `json:"schemaType"` // Empty for Avro.
	References []reference `json:"references"`
}

// reference is another schema that one builds on: an Avro type by its name, a Protobuf file by its import path.
type reference struct {
	Name    string `json:"name"`
	Subject string `json:"subject"`
	Version int    `json:"version"`
}

// refusalError is an answer that asking again at once would not change.
type refusalError struct{ code, reason string }

func (e *refusalError) Error() string { return e.reason }

// ask gets an answer, trying for as long as ctx lives while the registry gives none that is one. It logs when that begins and when it ends.
// The error is ctx's or a *refusalError.
func (c *Client) ask(ctx context.Context, path string) (answer, error) {
	tries := 0
	pause := backoff.NewExponentialBackOff() // With jitter.
	pause.InitialInterval, pause.MaxInterval = 200*time.Millisecond, 15*time.Second
	out, err := backoff.Retry(ctx, func() (answer, error) {
		tries++
		out, err := c.askEach(ctx, path)
		if _, final := errors.AsType[*refusalError](err); final {
			err = backoff.Permanent(err)
		}
		return out, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(0), backoff.WithNotify(func(err error, _ time.Duration) {
		if tries == 1 {
			c.log.WarnContext(ctx, "schema registry does not answer, reading waits for it", "path", path, "err", err)
		}
		c.fault.Store(&err)
	}))
	if tries > 1 {
		c.fault.Store(nil)
		if ctx.Err() == nil {
			c.log.InfoContext(ctx, "schema registry answers again", "path", path, "tries", tries)
		}
	}
	if ctx.Err() != nil {
		return answer{}, context.Cause(ctx)
	}
	return out, err
}

// askEach asks the addresses in turn until one answers.
func (c *Client) askEach(ctx context.Context, path string) (answer, error) {
	var errs []error
	for _, base := range c.bases {
		out, err := c.askOne(ctx, base+path)
		if _, final := errors.AsType[*refusalError](err); err == nil || final {
			return out, err
		}
		errs = append(errs, err)
	}
	return answer{}, errors.Join(errs...)
}

func (c *Client) askOne(ctx context.Context, url string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Accept", "application/vnd.schemaregistry.v1+json, application/json")
	if c.username != "" {
		req.SetBasicAuth(c.username, c.password)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, fmt.Errorf("GET %s: %w", url, err)
	}
	return read(url, resp.StatusCode, body)
}

// read makes an answer of a response. Only a 404 in the registry's own words (error codes 404xx) says that a schema does not exist: one of a
// proxy, or of a wrong address, would otherwise reject everything.
func read(url string, status int, body []byte) (out answer, err error) {
	if len(body) > maxAnswer {
		return out, &refusalError{"registry_schema_refused", fmt.Sprintf("the registry's answer is longer than %d bytes", maxAnswer)}
	}
	if status != http.StatusOK {
		var said struct {
			Code    int    `json:"error_code"`
			Message string `json:"message"`
		}
		readable := json.Unmarshal(body, &said) == nil
		if status == http.StatusNotFound && readable && said.Code/100 == 404 {
			return out, &refusalError{"registry_schema_unknown", "the registry does not know it"}
		}
		return out, fmt.Errorf("GET %s: HTTP status %d: %.200q", url, status, said.Message)
	}
	if err := json.Unmarshal(body, &out); err != nil {
		return out, fmt.Errorf("GET %s: the answer is not what a schema registry says: %w", url, err)
	}
	if out.Schema == "" {
		return out, fmt.Errorf("GET %s: the answer has no schema", url)
	}
	return out, nil
}
