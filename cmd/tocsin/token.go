package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/app"
)

func tokenCommand(t *terminal) *cobra.Command {
	return group("token", "Manage the tokens that programs use the API with", tokenCreate(t), tokenList(t), tokenRevoke(t))
}

func tokenCreate(t *terminal) *cobra.Command {
	var x access.Token
	var role string
	var days int
	c := &cobra.Command{
		Use: "create", Short: "Make a token and print it, this once", Args: wrongArgs(cobra.NoArgs),
		Long: `Makes a token for a program and prints it; only its hash is kept. Scopes: read (everything that only reads), act (what changes
incidents, suppressions, deliveries, rules), disposition (telling what came of an incident), feeds (reading feeds; such a token
may stand in an address), ingest (sending records to HTTP sources), manage (people, tokens, the audit).`,
		Example: "  tocsin token create --name soar --role analyst --scope disposition --origin soar\n  tocsin token create --name dashboard --role viewer --scope read --site hall-3 --days 30",
		RunE: func(c *cobra.Command, _ []string) error {
			var err error
			if x.Role, err = access.RoleOf(role); err != nil {
				return usageError{fmt.Errorf("--role: %w", err)}
			}
			if x.Name == "" {
				return usagef("--name: say what the token is for, such as --name soar")
			}
			secret := ""
			err = people(c, t, func(s *access.Service) (access.Entry, error) {
				maker := access.Person{Name: app.By, Role: access.Admin, Via: "command"}
				var made access.Token
				secret, made, err = s.AddToken(c.Context(), x, time.Duration(days)*24*time.Hour, maker)
				return access.Entry{Action: "token.make", Target: made.Name, Detail: fmt.Appendf(nil, `{"id":%q}`, made.ID)}, err
			})
			if err == nil {
				fmt.Fprintln(t.out, secret)
			}
			return err
		},
	}
	c.Flags().StringVar(&x.Name, "name", "", "what it is for")
	c.Flags().StringVar(&role, "role", "viewer", "viewer, analyst, author or admin")
	c.Flags().StringSliceVar(&x.Scopes, "scope", nil, "what it may be used for: "+strings.Join(access.Scopes(), ", ")+"; again for more")
	c.Flags().StringSliceVar(&x.Sites, "site", nil, "a site it sees; again for more (default: all)")
	c.Flags().StringVar(&x.Origin, "origin", "", "the endpoint that uses it, which is not told again what it told")
	c.Flags().StringVar(&x.Owner, "owner", "", "whose it is: it may no more than they (default: nobody's)")
	c.Flags().IntVar(&days, "days", 90, "how long it lasts, at most 400")
	return c
}

// tokenRow is a token as --json has it.
type tokenRow struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Owner   string     `json:"owner,omitempty"`
	Role    string     `json:"role"`
	Scopes  []string   `json:"scopes"`
	Sites   []string   `json:"sites"`
	Origin  string     `json:"origin,omitempty"`
	Created time.Time  `json:"created"`
	Expires time.Time  `json:"expires"`
	Used    *time.Time `json:"used,omitempty"`
	By      string     `json:"by"`
}

func tokenList(t *terminal) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List the tokens, the latest first", Args: wrongArgs(cobra.NoArgs), Example: "  tocsin token list --json",
		RunE: func(c *cobra.Command, _ []string) error {
			var list []access.TokenUse
			err := people(c, t, func(s *access.Service) (e access.Entry, err error) {
				list, err = s.Tokens(c.Context(), "")
				return e, err
			})
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
			enc := json.NewEncoder(t.out)
			for i, x := range list {
				row := tokenRow{x.ID, x.Name, x.Owner, x.Role.String(), x.Scopes, x.Sites, x.Origin, time.UnixMicro(x.Created).UTC(), time.UnixMicro(x.Expires).UTC(), nil, x.By}
				used := "never"
				if x.Used != 0 {
					row.Used = new(time.UnixMicro(x.Used).UTC())
					used = row.Used.Format(time.RFC3339)
				}
				if asJSON {
					if err := enc.Encode(row); err != nil {
						return err
					}
					continue
				}
				if i == 0 {
					fmt.Fprintln(w, "ID\tFOR\tOWNER\tROLE\tSCOPES\tSITES\tEXPIRES\tLAST USED")
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", x.ID, x.Name, x.Owner, x.Role, strings.Join(x.Scopes, ","), sitesText(x.Sites), row.Expires.Format(time.DateOnly), used)
			}
			if len(list) == 0 && !asJSON {
				fmt.Fprintln(w, "no tokens")
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one a line as JSON")
	return c
}

func tokenRevoke(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use: "revoke ID", Short: "End a token", Args: wrongArgs(cobra.ExactArgs(1)), Example: "  tocsin token revoke k3j2m4n5p6q7",
		RunE: func(c *cobra.Command, args []string) error {
			return people(c, t, func(s *access.Service) (access.Entry, error) {
				return access.Entry{Action: "token.revoke", Target: args[0]}, s.RevokeToken(c.Context(), "", args[0], app.By)
			})
		},
	}
}
