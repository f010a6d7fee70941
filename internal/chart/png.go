package chart

import (
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"image/color"
	"io"
	"regexp"
	"strconv"
	"strings"

	"git.sr.ht/~sbinet/gg"
	"golang.org/x/image/font"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/opentype"
)

// pngScale is how many pixels of a PNG a pixel of the SVG takes: enough for a slide or a dense screen.
const pngScale = 2

// WritePNG writes the chart as a PNG, twice as wide and high as the SVG, in light colours.
func (c Chart) WritePNG(w io.Writer) error { return WritePNG(w, c.SVG()) }

// WritePNG draws a picture of this project as a PNG, for programs that show no SVG. It knows the elements, and the
// styles by class, that the pictures of this project use, and refuses others by name: what it draws is all of it. Text
// is set in the Go fonts, which are part of the program, so that the same picture gives the same pixels everywhere.
func WritePNG(w io.Writer, svg string) error {
	p := pixels{rules: map[string]attributes{}, faces: map[face]font.Face{}}
	decoder := xml.NewDecoder(strings.NewReader(svg))
	for {
		token, err := decoder.Token()
		switch {
		case errors.Is(err, io.EOF) && p.canvas != nil:
			return p.canvas.EncodePNG(w)
		case err != nil:
			return fmt.Errorf("draw an SVG as PNG: %w", err)
		}
		switch t := token.(type) {
		case xml.StartElement:
			err = p.element(decoder, t)
		case xml.EndElement:
			if t.Name.Local == "g" {
				p.canvas.ResetClip()
			}
		}
		if err != nil {
			return fmt.Errorf("draw an SVG as PNG: %w", err)
		}
	}
}

// attributes are those of an element, with what a class says of it.
type attributes map[string]string

func (a attributes) number(name string) float64 {
	value, err := strconv.ParseFloat(strings.TrimSuffix(a[name], "px"), 64)
	if err != nil {
		return 0
	}
	return value
}

// ink is the colour of a fill or a stroke, or nil for none.
func (a attributes) ink(name, otherwise string) color.Color {
	value := a[name]
	if value == "" {
		value = otherwise
	}
	digits := strings.TrimPrefix(value, "#")
	if len(digits) == 3 {
		digits = strings.Join([]string{digits[:1], digits[:1], digits[1:2], digits[1:2], digits[2:], digits[2:]}, "")
	}
	rgb, err := hex.DecodeString(digits)
	if err != nil || len(rgb) != 3 {
		return nil
	}
	opacity := 1.0
	if a[name+"-opacity"] != "" {
		opacity = a.number(name + "-opacity")
	}
	return color.NRGBA{rgb[0], rgb[1], rgb[2], uint8(255*opacity + 0.5)}
}

type face struct {
	bold bool
	size float64
}

// pixels is a PNG in the making.
type pixels struct {
	canvas *gg.Context
	rules  map[string]attributes // by selector: "text" or ".class"
	clips  map[string]attributes // rectangles by id
	faces  map[face]font.Face
}

// element draws one element. Those that hold text or others are read to their end, but for groups and the picture.
func (p *pixels) element(d *xml.Decoder, e xml.StartElement) error {
	a := p.attributes(e)
	switch e.Name.Local {
	case "svg":
		p.canvas = gg.NewContext(int(pngScale*a.number("width")+0.5), int(pngScale*a.number("height")+0.5))
		p.canvas.Scale(pngScale, pngScale)
		p.clips = map[string]attributes{}
		return nil
	case "style":
		css, err := content(d, e)
		p.style(css)
		return err
	case "title":
		return d.Skip()
	case "clipPath":
		return p.clip(d, a["id"])
	case "g":
		clip := p.clips[strings.TrimSuffix(strings.TrimPrefix(a["clip-path"], "url(#"), ")")]
		p.canvas.DrawRectangle(clip.number("x"), clip.number("y"), clip.number("width"), clip.number("height"))
		p.canvas.Clip()
		return nil
	case "text":
		text, err := content(d, e)
		if err != nil {
			return err
		}
		return p.text(text, a)
	}
	return p.shape(e.Name.Local, a)
}

func (p *pixels) shape(name string, a attributes) error {
	switch name {
	case "rect":
		p.canvas.DrawRoundedRectangle(
			a.number("x"), a.number("y"), a.number("width"), a.number("height"), a.number("rx"))
	case "circle":
		p.canvas.DrawCircle(a.number("cx"), a.number("cy"), a.number("r"))
	case "line":
		p.canvas.DrawLine(a.number("x1"), a.number("y1"), a.number("x2"), a.number("y2"))
	case "polyline":
		if err := p.path("M" + a["points"]); err != nil {
			return err
		}
	case "path":
		if err := p.path(a["d"]); err != nil {
			return err
		}
	default:
		return fmt.Errorf("the element %s is not one of those that can be drawn", name)
	}
	p.paint(a)
	return nil
}

// attributes are an element's own, under those of its class, as CSS has it.
func (p *pixels) attributes(e xml.StartElement) attributes {
	a := attributes{}
	for _, x := range e.Attr {
		a[x.Name.Local] = x.Value
	}
	for _, selector := range []string{e.Name.Local, "." + a["class"]} {
		for name, value := range p.rules[selector] {
			a[name] = value
		}
	}
	return a
}

// content is the text up to the end of an element.
func content(d *xml.Decoder, e xml.StartElement) (string, error) {
	var text string
	err := d.DecodeElement(&text, &e)
	return text, err
}

var (
	rule      = regexp.MustCompile(`([.\w]+)\{([^{}]*)\}`)
	shorthand = regexp.MustCompile(`^(\d+)px `)
)

// style reads the rules of a style sheet for a light page.
func (p *pixels) style(css string) {
	light, _, _ := strings.Cut(css, "@media")
	for _, found := range rule.FindAllStringSubmatch(light, -1) {
		of := attributes{}
		for _, declaration := range strings.Split(found[2], ";") {
			name, value, _ := strings.Cut(declaration, ":")
			of[name] = value
		}
		if size := shorthand.FindStringSubmatch(of["font"]); size != nil {
			of["font-size"] = size[1]
		}
		p.rules[found[1]] = of
	}
}

// clip keeps the rectangle of a clip path.
func (p *pixels) clip(d *xml.Decoder, id string) error {
	var inside struct {
		Rect struct {
			Attr []xml.Attr `xml:",any,attr"`
		} `xml:"rect"`
	}
	start := xml.StartElement{Name: xml.Name{Local: "clipPath"}}
	if err := d.DecodeElement(&inside, &start); err != nil {
		return err
	}
	p.clips[id] = p.attributes(xml.StartElement{Attr: inside.Rect.Attr})
	return nil
}

var command = regexp.MustCompile(`([MLHVhZ])|(-?[\d.]+)`)

// path follows the commands M, L, H, V, h and Z.
func (p *pixels) path(d string) error {
	at := gg.Point{}
	var letter string
	var numbers []float64
	for _, found := range command.FindAllStringSubmatch(d, -1) {
		if found[1] != "" {
			letter, numbers = found[1], nil
			if letter == "Z" {
				p.canvas.ClosePath()
			}
			continue
		}
		number, err := strconv.ParseFloat(found[2], 64)
		if err != nil {
			return fmt.Errorf("the path %.40q: %w", d, err)
		}
		numbers = append(numbers, number)
		switch {
		case letter == "H":
			at.X = number
		case letter == "h":
			at.X += number
		case letter == "V":
			at.Y = number
		case len(numbers) < 2:
			continue
		default:
			at = gg.Point{X: numbers[0], Y: numbers[1]}
		}
		numbers = nil
		if letter == "M" {
			p.canvas.MoveTo(at.X, at.Y)
			letter = "L" // as further numbers of a move are lines
			continue
		}
		p.canvas.LineTo(at.X, at.Y)
	}
	return nil
}

// paint fills and strokes the path at hand.
func (p *pixels) paint(a attributes) {
	stroke, otherwise := a.ink("stroke", ""), ""
	if stroke == nil {
		otherwise = "#000"
	}
	if fill := a.ink("fill", otherwise); fill != nil {
		p.canvas.SetColor(fill)
		p.canvas.FillPreserve()
	}
	if stroke != nil {
		width := a.number("stroke-width")
		if width == 0 {
			width = 1
		}
		p.canvas.SetColor(stroke)
		p.canvas.SetLineWidth(pngScale * width) // the one measure that the scale does not reach
		var dashes []float64
		for _, length := range strings.Fields(a["stroke-dasharray"]) {
			dashes = append(dashes, pngScale*attributes{"": length}.number(""))
		}
		p.canvas.SetDash(dashes...)
		p.canvas.SetLineCapButt()
		p.canvas.Stroke()
	}
	p.canvas.ClearPath()
}

// text sets a line of text as large as it will be: letters that the canvas scales are blurred.
func (p *pixels) text(text string, a attributes) error {
	f := face{a["font-weight"] == "600", a.number("font-size")}
	if p.faces[f] == nil {
		ttf := goregular.TTF
		if f.bold {
			ttf = gobold.TTF
		}
		parsed, err := opentype.Parse(ttf)
		if err != nil {
			return err
		}
		// Go's letters are wider than those that a browser takes: a little smaller, they take the same room.
		const narrow = 0.93
		p.faces[f], err = opentype.NewFace(parsed, &opentype.FaceOptions{Size: narrow * pngScale * f.size, DPI: 72})
		if err != nil {
			return err
		}
	}
	p.canvas.SetFontFace(p.faces[f])
	p.canvas.SetColor(a.ink("fill", "#000"))
	anchor := map[string]float64{"middle": 0.5, "end": 1}[a["text-anchor"]]
	x, y := p.canvas.TransformPoint(a.number("x"), a.number("y"))
	p.canvas.Push()
	p.canvas.Identity()
	p.canvas.DrawStringAnchored(text, x, y, anchor, 0)
	p.canvas.Pop()
	return nil
}
