package llm

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
)

// What a policy for the names of a kind may be.
const (
	policyPseudonym = "pseudonym"
	policyClear     = "clear"
	policyNever     = "never"
)

// stand is what stands for the names of a kind in a pack, and which policy is asked about it.
var stands = map[event.EntityKind]struct{ token, policy string }{
	event.EntityUser: {"user", "user"}, event.EntityRobot: {"robot", "robot"}, event.EntityDevice: {"host", "device"},
	event.EntityIP: {"ip", "ip"}, event.EntityMAC: {"mac", "device"},
}

// names are the pseudonyms of one pack, given in the order in which they are asked for. That order must follow from the structure of the
// incident alone (time, place in an event) and never from how a name is spelled.
type names struct {
	policy  map[string]string
	byID    map[string]string // canonical id or value -> token
	meaning map[string]string // token -> canonical id or value
	count   map[string]int
	order   []string // tokens of entities, as they came
	private map[string]string
}

func newNames(policy map[string]string) *names {
	return &names{policy: policy, byID: map[string]string{}, meaning: map[string]string{}, count: map[string]int{}, private: map[string]string{}}
}

// safeName is what a name sent in clear may look like.
var safeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,63}$`)

// entity is the token that stands for an entity; "" if its kind is not to be mentioned.
func (n *names) entity(kind event.EntityKind, id string) string {
	if t, ok := n.byID[id]; ok {
		return t
	}
	stand, ok := stands[kind]
	if !ok {
		return ""
	}
	_, bare, _ := strings.Cut(id, ":")
	token := ""
	switch n.policy[stand.policy] {
	case policyNever:
		n.byID[id] = ""
		return ""
	case policyClear:
		if _, taken := n.meaning[bare]; !taken && safeName.MatchString(bare) && !tokenPattern.MatchString(bare) {
			token = bare
		}
	}
	if token == "" {
		token = n.next(stand.token)
	}
	n.byID[id], n.meaning[token] = token, id
	n.order = append(n.order, token)
	if kind == event.EntityIP {
		n.private[token] = reach(bare)
	}
	return token
}

// value is the token that stands for a value of a change.
func (n *names) value(text string) string {
	key := "\x00" + text // never an entity's id
	if t, ok := n.byID[key]; ok {
		return t
	}
	t := n.next("value")
	n.byID[key], n.meaning[t] = t, key
	return t
}

func (n *names) next(kind string) string {
	n.count[kind]++
	if kind == "robot" {
		return "robot-" + letters(n.count[kind])
	}
	return kind + "-" + strconv.Itoa(n.count[kind])
}

// letters counts A, B … Z, AA, AB …
func letters(n int) string {
	s := ""
	for ; n > 0; n = (n - 1) / 26 {
		s = string(rune('A'+(n-1)%26)) + s
	}
	return s
}

// reach says of an address only whether it is a private one.
func reach(ip string) string {
	a, err := netip.ParseAddr(ip)
	switch {
	case err != nil:
		return "address"
	case a.IsPrivate() || a.IsLoopback() || a.IsLinkLocalUnicast():
		return "private address"
	}
	return "public address"
}

// tokenPattern finds pseudonyms in a text.
var tokenPattern = regexp.MustCompile(`\b(?:(?:user|host|ip|mac|value)-[0-9]{1,6}|robot-[A-Z]{1,4})\b`)

// shown is a canonical id or value as people read it in a claim.
func (n *names) shown(token string) string {
	m, ok := n.meaning[token]
	if !ok {
		return token
	}
	if v, isValue := strings.CutPrefix(m, "\x00"); isValue {
		return clean(v, 120)
	}
	_, bare, found := strings.Cut(m, ":")
	if !found {
		bare = m
	}
	return clean(bare, 120)
}

// id is the canonical id behind a token of an entity; "" for values and unknown tokens.
func (n *names) id(token string) string {
	if m := n.meaning[token]; !strings.HasPrefix(m, "\x00") {
		return m
	}
	return ""
}

// legend describes the tokens of entities, one a line.
func (n *names) legend(b *strings.Builder) {
	for _, t := range n.order {
		if kind := n.private[t]; kind != "" {
			fmt.Fprintf(b, "- %s %s\n", t, kind)
		}
	}
}

// clean is text of a source fit for one line of a page: without control and direction-changing characters, and not long.
func clean(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r < 0x20 || r >= 0x7f && r < 0xa0, r == '\u061c', r >= '\u200b' && r <= '\u200f', r >= '\u2028' && r <= '\u202e', r >= '\u2060' && r <= '\u206f', r == '\ufeff', r == '\uFFFD', r >= 0xe0000 && r <= 0xe0fff:
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
	n := 0
	for i := range s {
		if n++; n > limit {
			return s[:i] + "…"
		}
	}
	return s
}

// excerpt is at most 64 characters of an outsider's text, of a safe alphabet and in one line; what is not of it becomes a space.
func excerpt(s string) string {
	var b strings.Builder
	space := false
	for _, r := range s {
		safe := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._/:-@", r)
		if !safe {
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
		if b.Len() >= 64 {
			break
		}
	}
	return b.String()[:min(64, b.Len())]
}
