package console

import "strings"

// chainDrawing is a chain laid out: its steps from left to right, joined by arrows, and below them what speaks against it. It is drawn in the page,
// so that all of its text is escaped there; the table beside it says the same in words.
type chainDrawing struct {
	Chain
	Width, Height int
	Boxes         []chainBox
	Arrows        []chainArrow
}

type chainBox struct {
	ChainStep
	X, Y, W, H int
	Lines      []string
}

type chainArrow struct{ X1, Y1, X2, Y2 int }

// The measures of a drawing, in its own pixels.
const (
	chainBoxW    = 210
	chainBoxH    = 74
	chainGapX    = 46
	chainGapY    = 26
	chainMargin  = 10
	chainPerRow  = 4
	chainLetters = 30 // That fit into a box.
	chainLines   = 3
)

func drawChains(chains []Chain) []chainDrawing {
	var out []chainDrawing
	for _, c := range chains {
		out = append(out, drawChain(c))
	}
	return out
}

func drawChain(c Chain) chainDrawing {
	d := chainDrawing{Chain: c}
	for i := range c.Steps {
		d.box(c.Steps[i], i)
	}
	// In an unordered pattern nothing leads from one step to the next.
	for i := 1; i < len(c.Steps) && c.Kind == "sequence"; i++ {
		a, b := &d.Boxes[i-1], &d.Boxes[i]
		if a.Y == b.Y {
			d.Arrows = append(d.Arrows, chainArrow{a.X + a.W, a.Y + a.H/2, b.X, b.Y + b.H/2})
		} else {
			d.Arrows = append(d.Arrows, chainArrow{a.X + a.W/2, a.Y + a.H, b.X + b.W/2, b.Y})
		}
	}
	first := (len(c.Steps) + chainPerRow - 1) / chainPerRow * chainPerRow
	for i := range c.Guards {
		d.box(c.Guards[i], first+i)
	}
	for i := range d.Boxes {
		d.Width = max(d.Width, d.Boxes[i].X+d.Boxes[i].W+chainMargin)
		d.Height = max(d.Height, d.Boxes[i].Y+d.Boxes[i].H+chainMargin)
	}
	return d
}

func (d *chainDrawing) box(s ChainStep, at int) {
	d.Boxes = append(d.Boxes, chainBox{
		ChainStep: s, W: chainBoxW, H: chainBoxH, X: chainMargin + at%chainPerRow*(chainBoxW+chainGapX), Y: chainMargin + at/chainPerRow*(chainBoxH+chainGapY),
		Lines: foldText(strings.Join(s.Classes, ", "), chainLetters, chainLines),
	})
}

// foldText cuts a text into lines of at most so many letters, at spaces where there are any.
func foldText(s string, letters, lines int) []string {
	var out []string
	for word := range strings.FieldsSeq(s) {
		if n := len(out); n > 0 && len(out[n-1])+1+len(word) <= letters {
			out[n-1] += " " + word
			continue
		}
		if len(out) == lines {
			out[lines-1] = clip(letters-1, out[lines-1]) + "…"
			break
		}
		out = append(out, clip(letters, word))
	}
	return out
}
