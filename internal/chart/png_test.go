package chart

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"os"
	"strings"
	"testing"
)

// drawn is the picture that a PNG of an SVG shows.
func drawn(t *testing.T, svg string) image.Image {
	t.Helper()
	var b bytes.Buffer
	if err := WritePNG(&b, svg); err != nil {
		t.Fatal(err)
	}
	if folder := os.Getenv("PICTURES"); folder != "" { // to look at them
		name := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name())
		if err := os.WriteFile(folder+"/"+name+".png", b.Bytes(), 0o644); err != nil {
			t.Error(err)
		}
	}
	picture, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return picture
}

func TestWritePNG(t *testing.T) {
	svg := everything().SVG()
	picture := drawn(t, svg)
	width, height := 0, 0
	head, _, _ := strings.Cut(svg, ">")
	for _, part := range strings.Fields(head) {
		if value, ok := strings.CutPrefix(part, `width="`); ok {
			width = int(attributes{"": strings.TrimSuffix(value, `"`)}.number(""))
		}
		if value, ok := strings.CutPrefix(part, `height="`); ok {
			height = int(attributes{"": strings.TrimSuffix(value, `"`)}.number(""))
		}
	}
	if size := picture.Bounds().Size(); size != image.Pt(2*width, 2*height) {
		t.Errorf("%v, want twice %d by %d", size, width, height)
	}
	// Every colour of the picture is there: paper, letters, and each mark.
	want := map[color.RGBA]string{{255, 255, 255, 255}: "paper", {0x1f, 0x23, 0x28, 255}: "text"}
	for _, m := range everything().Panels[0].Marks {
		_, s := m.entry()
		of := attributes{"fill": colors[s.color].light}.ink("fill", "").(color.NRGBA)
		want[color.RGBA{of.R, of.G, of.B, 255}] = colors[s.color].light
	}
	for y := range picture.Bounds().Dy() {
		for x := range picture.Bounds().Dx() {
			r, g, b, a := picture.At(x, y).RGBA()
			delete(want, color.RGBA{uint8(r >> 8), uint8(g >> 8), uint8(b >> 8), uint8(a >> 8)})
		}
	}
	if len(want) > 0 {
		t.Errorf("not in the picture: %v", want)
	}
}

func TestWritePNGDrawsWhereTheSVGSays(t *testing.T) {
	picture := drawn(t, `<svg width="40" height="20"><style>.a{fill:#f00}.b{stroke:#00f}
@media (prefers-color-scheme:dark){.a{fill:#0f0}}</style><rect width="40" height="20" fill="#fff"/>
<clipPath id="left"><rect x="0" y="0" width="10" height="20"/></clipPath>
<g clip-path="url(#left)"><rect class="a" x="5" y="5" width="30" height="5"/></g>
<path class="b" fill="none" stroke-width="2" d="M20 10H30V15"/>
<circle class="a" cx="36" cy="4" r="3"><title>name</title></circle>
</svg>`)
	for _, at := range []struct {
		x, y int
		want color.NRGBA
	}{
		{7, 7, color.NRGBA{255, 0, 0, 255}},       // in the clipped rectangle
		{15, 7, color.NRGBA{255, 255, 255, 255}},  // beyond the clip
		{25, 10, color.NRGBA{0, 0, 255, 255}},     // on the path's way to the right
		{30, 13, color.NRGBA{0, 0, 255, 255}},     // and down
		{25, 13, color.NRGBA{255, 255, 255, 255}}, // which is not filled
		{36, 4, color.NRGBA{255, 0, 0, 255}},
	} {
		if got := color.NRGBAModel.Convert(picture.At(2*at.x, 2*at.y)); got != at.want {
			t.Errorf("at %d, %d: %v, want %v", at.x, at.y, got, at.want)
		}
	}
}

func TestWritePNGRefuses(t *testing.T) {
	for svg, want := range map[string]string{
		"":                          "EOF",
		"<svg width='9' height='9'": "XML syntax error",
		"<svg width='9' height='9'><image/></svg>": "the element image is not one of those",
	} {
		if err := WritePNG(&bytes.Buffer{}, svg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q in it", svg, err, want)
		}
	}
}
