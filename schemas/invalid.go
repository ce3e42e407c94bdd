package schemas

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// InvalidError says how a body differs from its schema.
type InvalidError struct {
	Schema string  // file name
	Faults []Fault // sorted by path, at least one
}

// Fault is one difference. It holds no value of the body, which may be secret
// or personal.
type Fault struct {
	Path string // e.g. asset.items[0].quantity; "body" for the whole
	Rule string // e.g. want string, number or null, found object
}

// mostFaults is how many faults one line of text names.
const mostFaults = 3

// Error is one line.
func (e *InvalidError) Error() string {
	var b strings.Builder
	b.WriteString("validate by " + e.Schema)
	for i, f := range e.Faults {
		if i == mostFaults {
			fmt.Fprintf(&b, "; and %d more", len(e.Faults)-mostFaults)
			break
		}
		sep := ": "
		if i > 0 {
			sep = "; "
		}
		b.WriteString(sep + f.Path + ": " + f.Rule)
	}
	return b.String()
}

// faultsOf flattens the library's tree to its leaves: what is between says
// only which part of the schema led there.
func faultsOf(e *jsonschema.ValidationError) []Fault {
	var faults []Fault
	var walk func(e *jsonschema.ValidationError)
	walk = func(e *jsonschema.ValidationError) {
		for _, cause := range e.Causes {
			walk(cause)
		}
		if len(e.Causes) > 0 {
			return
		}
		if k, ok := e.ErrorKind.(*kind.Required); ok {
			for _, name := range k.Missing {
				at := append(slices.Clone(e.InstanceLocation), name)
				faults = append(faults, Fault{Path: pathOf(at), Rule: "missing"})
			}
			return
		}
		faults = append(faults, Fault{Path: pathOf(e.InstanceLocation), Rule: ruleOf(e.ErrorKind)})
	}
	walk(e)
	slices.SortFunc(faults, func(a, b Fault) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Rule, b.Rule))
	})
	return slices.Compact(faults)
}

// mostPath bounds what a body can put into an error by its property names.
const mostPath = 120

func pathOf(tokens []string) string {
	if len(tokens) == 0 {
		return "body"
	}
	var b strings.Builder
	for _, t := range tokens {
		if _, err := strconv.Atoi(t); err == nil {
			b.WriteString("[" + t + "]")
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteString(nameOf(t))
	}
	if b.Len() > mostPath {
		return b.String()[:mostPath] + "…"
	}
	return b.String()
}

// nameOf quotes a property name that is not printable ASCII.
func nameOf(t string) string {
	if strings.IndexFunc(t, func(r rune) bool { return r <= ' ' || r > '~' }) < 0 && t != "" {
		return t
	}
	return strconv.QuoteToASCII(t)
}

// ruleOf words a rule without the value that breaks it.
func ruleOf(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return "want " + list(k.Want) + ", found " + k.Got
	case *kind.Enum:
		want := make([]string, len(k.Want))
		for i, w := range k.Want {
			want[i] = fmt.Sprint(w)
		}
		return "want " + list(want)
	case *kind.Const:
		return fmt.Sprint("want ", k.Want)
	case *kind.MinLength:
		return "want at least " + count(k.Want, "character")
	case *kind.MaxLength:
		return "want at most " + count(k.Want, "character")
	case *kind.MaxItems:
		return "want at most " + count(k.Want, "element")
	case *kind.MinProperties:
		return "want at least " + count(k.Want, "property")
	case *kind.MaxProperties:
		return "want at most " + count(k.Want, "property")
	case *kind.Pattern:
		return "want text that matches " + k.Want
	case *kind.Format:
		return "want a " + k.Want
	case *kind.ContentEncoding:
		return "want " + k.Want
	case *kind.Minimum:
		return "want at least " + k.Want.RatString()
	case *kind.Maximum:
		return "want at most " + k.Want.RatString()
	}
	return "breaks the rule " + strings.Join(k.KeywordPath(), "/")
}

func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

func count(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "y"):
		noun = strings.TrimSuffix(noun, "y") + "ie"
	}
	return strconv.Itoa(n) + " " + noun + "s"
}
