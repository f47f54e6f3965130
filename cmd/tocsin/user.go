package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tocsin-siem/tocsin/access"
	"github.com/tocsin-siem/tocsin/app"
)

func userCommand(t *terminal) *cobra.Command {
	return group("user", "Manage the people who sign in to the console with a password", userAdd(t), userList(t), userDisable(t), userEnable(t), userPassword(t))
}

// people runs a command on who may sign in. What cannot be as asked for is a usage error.
func people(c *cobra.Command, t *terminal, do func(*access.Service) (access.Entry, error)) error {
	cfg, err := config(c)
	if err != nil {
		return err
	}
	err = app.People(c.Context(), cfg, app.EngineProgress(t.err), do)
	if errors.Is(err, access.ErrInput) || errors.Is(err, access.ErrNobody) {
		return usageError{errors.New(strings.TrimPrefix(err.Error(), access.ErrInput.Error()+": "))}
	}
	return err
}

// readPassword asks for a password twice, or takes the first line of standard input where that is no terminal.
func readPassword(t *terminal, name string) (string, error) {
	f, ok := t.in.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		line, err := bufio.NewReader(io.LimitReader(t.in, 1024)).ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line == "" {
			return "", usagef("no password on standard input: %v", err)
		}
		return line, nil
	}
	var typed [2]string
	for i, ask := range []string{"Password for " + name + ": ", "Once more: "} {
		fmt.Fprint(t.err, ask)
		b, err := term.ReadPassword(int(f.Fd()))
		fmt.Fprintln(t.err)
		if err != nil {
			return "", fmt.Errorf("read the password: %w", err)
		}
		typed[i] = string(b)
	}
	if typed[0] != typed[1] {
		return "", usagef("the two are not the same")
	}
	return typed[0], nil
}

func userAdd(t *terminal) *cobra.Command {
	var role string
	var sites []string
	c := &cobra.Command{
		Use: "add NAME", Short: "Add somebody with a password", Args: wrongArgs(cobra.ExactArgs(1)),
		Long: `Adds somebody who signs in with a password, which is asked for, or read from standard input where that is no terminal. It has 12
characters or more. People can sign in once console.sign_in.local is true. There is no user and no password by default.`,
		Example: "  tocsin user add ana --role admin\n  tocsin user add ben --role viewer --site hall-3 < password",
		RunE: func(c *cobra.Command, args []string) error {
			r, err := access.RoleOf(role)
			if err != nil {
				return usageError{fmt.Errorf("--role: %w", err)}
			}
			password, err := readPassword(t, args[0])
			if err != nil {
				return err
			}
			err = people(c, t, func(s *access.Service) (access.Entry, error) {
				return access.Entry{Action: "person.add", Target: args[0]}, s.AddUser(c.Context(), args[0], password, r, sites, app.By)
			})
			if err == nil {
				fmt.Fprintf(t.out, "%s may sign in as %s\n", args[0], r)
			}
			return err
		},
	}
	c.Flags().StringVar(&role, "role", "viewer", "viewer, analyst, author or admin")
	c.Flags().StringSliceVar(&sites, "site", nil, "a site they see; again for more (default: all)")
	return c
}

// userRow is somebody as --json has them.
type userRow struct {
	Name     string   `json:"name"`
	Role     string   `json:"role"`
	Sites    []string `json:"sites"`
	Via      string   `json:"via"`
	Disabled bool     `json:"disabled"`
}

func userList(t *terminal) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "list", Short: "List who may sign in or has", Args: wrongArgs(cobra.NoArgs), Example: "  tocsin user list --json",
		RunE: func(c *cobra.Command, _ []string) error {
			var list []access.User
			err := people(c, t, func(s *access.Service) (e access.Entry, err error) {
				list, err = s.Users(c.Context())
				return e, err
			})
			if err != nil {
				return err
			}
			w := tabwriter.NewWriter(t.out, 0, 0, 2, ' ', 0)
			enc := json.NewEncoder(t.out)
			for i, u := range list {
				if asJSON {
					if err := enc.Encode(userRow{u.Name, u.Role.String(), u.Sites, u.Via, u.Disabled}); err != nil {
						return err
					}
					continue
				}
				if i == 0 {
					fmt.Fprintln(w, "NAME\tROLE\tSITES\tSIGNS IN WITH\tSTATE")
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", u.Name, u.Role, sitesText(u.Sites), map[string]string{access.ViaLocal: "password", access.ViaOIDC: "identity provider"}[u.Via], map[bool]string{true: "disabled", false: "may sign in"}[u.Disabled])
			}
			if len(list) == 0 && !asJSON {
				fmt.Fprintln(w, "nobody may sign in; tocsin user add NAME --role admin makes the first")
			}
			return w.Flush()
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "one a line as JSON")
	return c
}

func sitesText(sites []string) string {
	if sites == nil {
		return "all"
	}
	return strings.Join(sites, ",")
}

func userDisable(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use: "disable NAME", Short: "Keep somebody from signing in, and end their sessions and tokens", Args: wrongArgs(cobra.ExactArgs(1)), Example: "  tocsin user disable ana",
		RunE: func(c *cobra.Command, args []string) error {
			return people(c, t, func(s *access.Service) (access.Entry, error) {
				return access.Entry{Action: "person.disable", Target: args[0]}, s.Disable(c.Context(), args[0], true, app.By)
			})
		},
	}
}

func userEnable(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use: "enable NAME", Short: "Let somebody in again", Args: wrongArgs(cobra.ExactArgs(1)), Example: "  tocsin user enable ana",
		RunE: func(c *cobra.Command, args []string) error {
			return people(c, t, func(s *access.Service) (access.Entry, error) {
				return access.Entry{Action: "person.enable", Target: args[0]}, s.Disable(c.Context(), args[0], false, app.By)
			})
		},
	}
}

func userPassword(t *terminal) *cobra.Command {
	return &cobra.Command{
		Use: "password NAME", Short: "Give somebody another password, and end their sessions and tokens", Args: wrongArgs(cobra.ExactArgs(1)),
		Long: "Asks for the password, or reads it from standard input where that is no terminal.", Example: "  tocsin user password ana",
		RunE: func(c *cobra.Command, args []string) error {
			password, err := readPassword(t, args[0])
			if err != nil {
				return err
			}
			return people(c, t, func(s *access.Service) (access.Entry, error) {
				return access.Entry{Action: "person.password", Target: args[0]}, s.SetPassword(c.Context(), args[0], password, app.By)
			})
		},
	}
}
