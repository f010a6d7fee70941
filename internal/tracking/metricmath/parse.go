package metricmath

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxDepth bounds the nesting of an expression, so that no input can exhaust the stack.
const maxDepth = 64

// expr is a node of the syntax tree.
type expr struct {
	op   string // "number", "text", "name", "array", "call", "negate" or a binary operator
	at   int    // byte offset in the expression, for errors
	num  float64
	text string // of a name, a string, or a function's name
	args []*expr
}

// binding powers of the binary operators; a higher one binds tighter. CloudWatch documents none: these are the usual.
var binding = map[string]int{
	"OR": 1, "AND": 2,
	"==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3,
	"+": 4, "-": 4, "*": 5, "/": 5, "^": 7,
}

const negateBinding = 6 // -m1^2 is -(m1^2)

type parser struct {
	src   string
	pos   int    // behind the current token
	tok   string // current token; empty at the end
	kind  byte   // 'n'umber, 't'ext, 'i'dentifier, 'o'perator or punctuation, 0 at the end
	at    int    // start of the current token
	depth int
}

// parse returns the syntax tree of one expression.
func parse(src string) (*expr, error) {
	p := &parser{src: src}
	if err := p.next(); err != nil {
		return nil, err
	}
	e, err := p.expression(0)
	if err != nil {
		return nil, err
	}
	if p.kind != 0 {
		return nil, p.unexpected("an operator")
	}
	return e, nil
}

// expression parses operators that bind tighter than the given power.
func (p *parser) expression(power int) (*expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fmt.Errorf("position %d: nested deeper than %d", p.at+1, maxDepth)
	}
	defer func() { p.depth-- }()

	left, err := p.operand()
	for err == nil {
		op, at := p.operator(), p.at
		mine := binding[op]
		if mine <= power {
			return left, nil
		}
		if err = p.next(); err != nil {
			break
		}
		if op == "^" {
			mine-- // to the right: 2^3^2 is 2^9
		}
		var right *expr
		right, err = p.expression(mine)
		left = &expr{op: op, at: at, args: []*expr{left, right}}
	}
	return nil, err
}

// operator returns the binary operator at the current token, or "".
func (p *parser) operator() string {
	switch p.tok {
	case "&&":
		return "AND"
	case "||":
		return "OR"
	}
	if p.kind == 't' || binding[p.tok] == 0 {
		return ""
	}
	return p.tok
}

func (p *parser) operand() (*expr, error) {
	tok, at := p.tok, p.at
	switch {
	case p.kind == 'n':
		n, err := strconv.ParseFloat(tok, 64)
		if err != nil {
			return nil, fmt.Errorf("position %d: %q is not a number", at+1, tok)
		}
		return &expr{op: "number", at: at, num: n}, p.next()
	case p.kind == 't':
		return &expr{op: "text", at: at, text: tok}, p.next()
	case tok == "-":
		if err := p.next(); err != nil {
			return nil, err
		}
		x, err := p.expression(negateBinding)
		return &expr{op: "negate", at: at, args: []*expr{x}}, err
	case tok == "(":
		if err := p.next(); err != nil {
			return nil, err
		}
		x, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		return x, p.expect(")")
	case tok == "[":
		items, err := p.list("]")
		return &expr{op: "array", at: at, args: items}, err
	case p.kind == 'i' && p.operator() == "":
		if err := p.next(); err != nil {
			return nil, err
		}
		if p.tok != "(" || p.kind != 'o' {
			return &expr{op: "name", at: at, text: tok}, nil
		}
		args, err := p.list(")")
		return &expr{op: "call", at: at, text: tok, args: args}, err
	}
	return nil, p.unexpected("a number, an ID, a function, ( or [")
}

// list parses comma separated expressions behind the opening bracket at the current token up to the closing one.
func (p *parser) list(closing string) ([]*expr, error) {
	if err := p.next(); err != nil {
		return nil, err
	}
	var items []*expr
	for p.tok != closing || p.kind != 'o' {
		if len(items) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		item, err := p.expression(0)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, p.next()
}

func (p *parser) expect(tok string) error {
	if p.tok != tok || p.kind != 'o' {
		return p.unexpected(tok)
	}
	return p.next()
}

func (p *parser) unexpected(want string) error {
	if p.kind == 0 {
		return fmt.Errorf("position %d: the expression ends where %s is expected", p.at+1, want)
	}
	return fmt.Errorf("position %d: %q where %s is expected", p.at+1, p.tok, want)
}

const (
	digits  = "0123456789"
	letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
)

// next moves to the next token.
func (p *parser) next() error {
	p.pos += len(p.src[p.pos:]) - len(strings.TrimLeft(p.src[p.pos:], " \t\r\n"))
	p.at = p.pos
	rest := p.src[p.pos:]
	var length int
	switch {
	case rest == "":
		p.kind, p.tok = 0, ""
		return nil
	case strings.ContainsRune(letters, rune(rest[0])):
		p.kind, length = 'i', prefix(rest, letters+digits)
	case strings.ContainsRune(digits+".", rune(rest[0])):
		p.kind, length = 'n', number(rest)
	case rest[0] == '"' || rest[0] == '\'':
		end := strings.IndexByte(rest[1:], rest[0])
		if end < 0 {
			return fmt.Errorf("position %d: the string has no end", p.at+1)
		}
		p.kind, p.tok, p.pos = 't', rest[1:1+end], p.pos+end+2
		return nil
	case len(rest) > 1 && slices.Contains([]string{"==", "!=", "<=", ">=", "&&", "||"}, rest[:2]):
		p.kind, length = 'o', 2
	case strings.ContainsRune("+-*/^<>()[],", rune(rest[0])):
		p.kind, length = 'o', 1
	default:
		return fmt.Errorf("position %d: %q is not part of metric math", p.at+1, []rune(rest)[0])
	}
	p.tok, p.pos = rest[:length], p.pos+length
	return nil
}

func prefix(s, of string) int { return len(s) - len(strings.TrimLeft(s, of)) }

// number returns the length of the number at the start of s: digits, a fraction, an exponent.
func number(s string) int {
	n := prefix(s, digits)
	if n < len(s) && s[n] == '.' {
		n += 1 + prefix(s[n+1:], digits)
	}
	if n < len(s) && (s[n] == 'e' || s[n] == 'E') {
		sign := 0
		if n+1 < len(s) && (s[n+1] == '+' || s[n+1] == '-') {
			sign = 1
		}
		if exponent := prefix(s[n+1+sign:], digits); exponent > 0 {
			n += 1 + sign + exponent
		}
	}
	return n
}
