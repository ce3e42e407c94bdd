package connectsim

import (
	"regexp"
	"slices"
)

// template finds the template that an action names, by the product of the
// request and what the action is for.
func (s *Server) template(product, id, scope, kind string) (object, error) {
	templates := s.part(product, "templates")
	if templates == nil || templates.byID[id] == nil {
		return nil, invalid("template_id", "Template %s does not exist.", id)
	}
	t := templates.byID[id].body
	if s.opts.AllowAnyTemplate || t["scope"] == scope && t["type"] == kind {
		return t, nil
	}
	return nil, invalid("template_id", "Template %s is not a template of scope %s and type %s.", id, scope, kind)
}

var placeholder = regexp.MustCompile(`\{\{\s*([\w.-]+)\s*\}\}`)

// render fills a template's body with the values of parameters.
func render(body string, params []object) string {
	return placeholder.ReplaceAllStringFunc(body, func(m string) string {
		name := placeholder.FindStringSubmatch(m)[1]
		at := slices.IndexFunc(params, func(p object) bool { return p["id"] == name })
		if at < 0 {
			return ""
		}
		return text(params[at], "value")
	})
}

func (s *Server) showTemplate(c *call) (answer, error) {
	templates := s.part(c.id, "templates")
	if templates == nil || templates.byID[c.sub] == nil {
		return answer{}, errNotFound
	}
	body := text(templates.byID[c.sub].body, "body")
	return answer{markdown: &body}, nil
}
