package app

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/tocsin-siem/tocsin/incident"
	"github.com/tocsin-siem/tocsin/triage"
)

// Paths of the API of deliveries.
const (
	deliveriesPath     = "/api/v1/deliveries"
	replayDeliveryPath = "/api/v1/deliveries/replay"
	tryRoutesPath      = "/api/v1/routes/test"
)

// DeliveryRow is a delivery as the API and --json show it.
type DeliveryRow struct {
	ID       string     `json:"id"`
	Endpoint string     `json:"endpoint"`
	State    string     `json:"state"`
	Incident string     `json:"incident"`
	Revision int32      `json:"revision"`
	Kind     string     `json:"kind"`
	Title    string     `json:"title"`
	Attempts int        `json:"attempts"`
	At       time.Time  `json:"at"`
	Next     *time.Time `json:"next,omitempty"`
	Status   int        `json:"status,omitempty"`
	Error    string     `json:"error,omitempty"`
	Answer   string     `json:"answer,omitempty"`
	TookMS   float64    `json:"took_ms"`
	Replayed *time.Time `json:"replayed,omitempty"`
	By       string     `json:"by,omitempty"`
}

// errNoService says that only a running service can answer.
func errNoService(cfg Config) error {
	return fmt.Errorf("no service answers at %s (console.listen): start it with tocsin run, or name its configuration with --config", cfg.Console.Listen)
}

// ListDeliveries asks the running service for deliveries. form has what the API takes: endpoint, state, incident, since, until, limit.
func ListDeliveries(ctx context.Context, cfg Config, form url.Values, show func(DeliveryRow) error) error {
	return ask(ctx, cfg, http.MethodGet, deliveriesPath, form, func(line []byte) error {
		var row DeliveryRow
		if err := json.Unmarshal(line, &row); err != nil {
			return err
		}
		return show(row)
	})
}

// ReplayDeliveries asks the running service to send dead letters again. It says how many are due again.
func ReplayDeliveries(ctx context.Context, cfg Config, form url.Values) (n int, err error) {
	err = ask(ctx, cfg, http.MethodPost, replayDeliveryPath, form, func(line []byte) error {
		var said struct {
			Replayed int `json:"replayed"`
		}
		err := json.Unmarshal(line, &said)
		n = said.Replayed
		return err
	})
	return n, err
}

// TestEndpoint asks the running service to send an endpoint a test. refusal is what went wrong there; empty if it arrived.
func TestEndpoint(ctx context.Context, cfg Config, endpoint string) (refusal string, err error) {
	err = ask(ctx, cfg, http.MethodPost, "/api/v1/endpoints/"+url.PathEscape(endpoint)+"/test", nil, func(line []byte) error {
		var said struct {
			Delivered bool   `json:"delivered"`
			Error     string `json:"error"`
		}
		if err := json.Unmarshal(line, &said); err != nil {
			return err
		}
		if !said.Delivered {
			refusal = said.Error
		}
		return nil
	})
	return refusal, err
}

// TryRoutes asks the running service what the routes of cfg would make of its latest incidents. Nothing changes.
func TryRoutes(ctx context.Context, cfg Config, kind incident.ChangeKind, last int, show func(triage.Routed) error) error {
	if _, err := triage.NewRouter(cfg.Triage.Routes, routeCompiler(nil)); err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"routes": cfg.Triage.Routes, "kind": kind, "last": last})
	if err != nil {
		return err
	}
	return ask(ctx, cfg, http.MethodPost, tryRoutesPath, url.Values{"json": {string(body)}}, func(line []byte) error {
		var row triage.Routed
		if err := json.Unmarshal(line, &row); err != nil {
			return err
		}
		return show(row)
	})
}

func ask(ctx context.Context, cfg Config, method, path string, form url.Values, take func([]byte) error) error {
	answered, err := askService(ctx, cfg, method, path, form, take)
	if !answered && (err == nil || !errors.Is(err, context.Canceled)) {
		return errNoService(cfg)
	}
	return err
}

// RoutedLine is what routes make of an incident as a row of a table for a terminal.
func RoutedLine(r triage.Routed) string {
	or := func(s string) string { return cmp.Or(plain(s), "-") }
	return strings.Join([]string{r.Incident, r.Severity, or(r.Stitched), or(r.Owner), or(strings.Join(r.Matched, ", ")), or(strings.Join(r.Endpoints, ", ")), or(r.Title)}, "\t")
}
