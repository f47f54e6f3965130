package console

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strings"

	"github.com/tocsin-siem/tocsin/event"
	"github.com/tocsin-siem/tocsin/incident"
)

// The bounds and measures of the graph, the latter in its own pixels.
const (
	maxNodes    = 60
	maxEdges    = 150
	graphWidth  = 1200
	graphStep   = 26  // From one node to the next.
	graphTop    = 34  // Below the titles of the columns.
	graphMargin = 16  // Left of the first column's nodes.
	graphLabel  = 240 // Room for a node's name.
	graphName   = 28  // Characters of a name.
)

// graphColumns are the columns of the graph from left to right: from who acts to what is acted on. One without nodes is left out.
var graphColumns = []struct {
	title string
	kinds []event.EntityKind
}{
	{"Users", []event.EntityKind{event.EntityUser, event.EntitySession, event.EntityGroup}},
	{"Addresses", []event.EntityKind{event.EntityIP, event.EntityMAC, event.EntityDomain}},
	{"Devices", []event.EntityKind{event.EntityDevice, event.EntityHash, event.EntityResource}},
	{"Robots", []event.EntityKind{event.EntityRobot}},
}

// node is an entity of the graph, and a row of its table.
type node struct {
	incident.Member
	Path string // Its page; "" if there is none.
	Only string // The timeline with its rows only.
	Seen []tied // What it was seen with, the most often first.
	x, y int
}

// tied is an entity that another was seen with.
type tied struct {
	ID     string
	Events int
}

// graph is which entities of an incident were seen together in one event.
type graph struct {
	Drawing template.HTML
	Nodes   []node
	More    int // Entities that are not drawn.
}

type edge struct {
	a, b   int
	events int
}

// graphOf lays the graph out: entities in columns by kind, in each those in most findings first. It is the same each time.
func (s *server) graphOf(in *incident.Incident, v trailView) graph {
	nodes := nodesOf(in)
	g := graph{More: max(0, len(nodes)-maxNodes), Nodes: nodes[:min(len(nodes), maxNodes)]}
	at := map[string]int{}
	for i := range g.Nodes {
		n := &g.Nodes[i]
		at[n.ID], n.Path, n.Only = i, s.entityLink(n.ID), address(incidentPath(in.ID), v.with(n.ID, true))
	}
	edges := edgesOf(in, at)
	for _, e := range edges {
		a, b := &g.Nodes[e.a], &g.Nodes[e.b]
		a.Seen, b.Seen = append(a.Seen, tied{b.ID, e.events}), append(b.Seen, tied{a.ID, e.events})
	}
	g.Drawing = drawGraph(g.Nodes, edges[:min(len(edges), maxEdges)])
	return g
}

// nodesOf are the entities that take part, by findings; context and sensors are none.
func nodesOf(in *incident.Incident) []node {
	var out []node
	for _, m := range in.Entities {
		if m.Strength != event.Context && slices.ContainsFunc(m.Roles, func(r event.Role) bool { return r < event.RoleReporter }) {
			out = append(out, node{Member: m})
		}
	}
	slices.SortStableFunc(out, func(a, b node) int {
		return cmp.Or(cmp.Compare(b.Findings, a.Findings), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	return out
}

// edgesOf are the pairs seen together in an event, the most often first.
func edgesOf(in *incident.Incident, at map[string]int) []edge {
	type pair struct{ a, b int }
	counts := map[pair]int{}
	met := map[event.ID]bool{}
	for i := range in.Findings {
		for _, ev := range in.Findings[i].Evidence {
			if ev.Event == nil || met[ev.Event.Event] {
				continue
			}
			met[ev.Event.Event] = true
			var here []int
			for _, x := range ev.Event.Entities {
				if n, ok := at[x.ID]; ok && x.Role < event.RoleReporter && !slices.Contains(here, n) {
					here = append(here, n)
				}
			}
			slices.Sort(here)
			for j, a := range here {
				for _, b := range here[j+1:] {
					counts[pair{a, b}]++
				}
			}
		}
	}
	out := make([]edge, 0, len(counts))
	for p, n := range counts {
		out = append(out, edge{p.a, p.b, n})
	}
	slices.SortFunc(out, func(x, y edge) int {
		return cmp.Or(cmp.Compare(y.events, x.events), cmp.Compare(x.a, y.a), cmp.Compare(x.b, y.b))
	})
	return out
}

// drawGraph draws nodes with their edges. The table beside it says the same in words, so it is hidden from those who cannot see it. All text in
// it is escaped.
func drawGraph(nodes []node, edges []edge) template.HTML {
	if len(nodes) == 0 {
		return ""
	}
	var titles strings.Builder
	column, columns, height := 0, usedColumns(nodes), 0
	for _, c := range graphColumns {
		row := 0
		x := graphMargin
		if columns > 1 {
			x += column * (graphWidth - graphLabel - graphMargin) / (columns - 1)
		}
		for i := range nodes {
			if slices.Contains(c.kinds, nodes[i].Kind) {
				nodes[i].x, nodes[i].y = x, graphTop+row*graphStep
				row++
			}
		}
		if row > 0 {
			fmt.Fprintf(&titles, `<text class="lane" x="%d" y="14">%s</text>`, x-8, c.title)
			column++
			height = max(height, row)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg class="chart graph" viewBox="0 0 %d %d" aria-hidden="true" focusable="false">`, graphWidth, graphTop+height*graphStep)
	b.WriteString(titles.String())
	for _, e := range edges {
		drawEdge(&b, &nodes[e.a], &nodes[e.b], e.events)
	}
	for i := range nodes {
		nodes[i].draw(&b)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) // built here; text is escaped
}

func usedColumns(nodes []node) int {
	n := 0
	for _, c := range graphColumns {
		if slices.ContainsFunc(nodes, func(x node) bool { return slices.Contains(c.kinds, x.Kind) }) {
			n++
		}
	}
	return n
}

// drawEdge is a curve; one within a column bows to the right, so that it does not hide behind the nodes.
func drawEdge(b *strings.Builder, p, q *node, events int) {
	if p.x > q.x {
		p, q = q, p
	}
	width := min(1+events/3, 4)
	if p.x == q.x {
		fmt.Fprintf(b, `<path class="edge" stroke-width="%d" d="M%d %d c-22 0 -22 %d 0 %d"/>`, width, p.x, p.y, q.y-p.y, q.y-p.y)
		return
	}
	mid := (p.x + q.x) / 2
	fmt.Fprintf(b, `<path class="edge" stroke-width="%d" d="M%d %d C%d %d %d %d %d %d"/>`, width, p.x, p.y, mid, p.y, mid, q.y, q.x, q.y)
}

// draw is a disc by kind, a ring for a hub, with the name behind it.
func (n *node) draw(b *strings.Builder) {
	class := "mark node-" + n.Kind.String()
	if n.Hub {
		class += " ring"
	}
	fmt.Fprintf(b, `<a href="%s" tabindex="-1"><title>%s</title><circle class="%s" cx="%d" cy="%d" r="6"/><text class="name" x="%d" y="%d">%s</text></a>`,
		template.HTMLEscapeString(n.Only), template.HTMLEscapeString(n.ID), class, n.x, n.y, n.x+11, n.y+4, template.HTMLEscapeString(clip(graphName, bare(n.ID))))
}

// entityLink is the page of an entity; "" while there is none.
func (s *server) entityLink(id string) string {
	for pattern := range s.needs {
		if strings.HasPrefix(pattern, "GET /entities/") {
			return entityPath(id)
		}
	}
	return ""
}
