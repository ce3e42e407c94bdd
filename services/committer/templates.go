package committer

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/headrace/headrace/pkg/connect"
)

// The scope and types of the templates that are looked up.
const (
	ScopeAsset      = "asset"
	typeFulfillment = "fulfillment"
	typeInquire     = "inquire"

	// DefaultActivation is the name that Connect gives a product's first
	// activation template.
	DefaultActivation = "Default Activation Template"
)

// ListTemplates returns a product's templates of one scope and type.
type ListTemplates func(ctx context.Context, product, scope, kind string) ([]connect.Template, error)

// Templates looks templates up, once per product for as long as ttl. It is
// safe for concurrent use.
type Templates struct {
	list ListTemplates
	ttl  time.Duration
	now  func() time.Time

	mu    sync.Mutex
	known map[templateKey]*lookup
}

type templateKey struct{ product, scope, kind string }

// lookup is one answer of Connect's, or the call that is under way for it.
type lookup struct {
	turn      chan struct{} // of who looks at the rest, and asks
	templates []connect.Template
	until     time.Time
}

// NewTemplates returns a cache of what list answers.
func NewTemplates(list ListTemplates, ttl time.Duration) *Templates {
	return &Templates{list: list, ttl: ttl, now: time.Now, known: map[templateKey]*lookup{}}
}

// Activation is the id of the template that a product is approved with: the one
// named DefaultActivation, else the only one. None or several holds the
// request.
func (t *Templates) Activation(ctx context.Context, product, scope string) (string, error) {
	found, err := t.get(ctx, templateKey{product, scope, typeFulfillment})
	if err != nil {
		return "", err
	}
	id, err := PickActivation(found)
	if err != nil {
		return "", hold("product %s: %v", product, err)
	}
	return id, nil
}

// PickActivation chooses among the activation templates of one product and
// scope; its error says why none can be chosen.
func PickActivation(found []connect.Template) (string, error) {
	for _, tpl := range found {
		if tpl.Name == DefaultActivation {
			return tpl.ID, nil
		}
	}
	switch len(found) {
	case 1:
		return found[0].ID, nil
	case 0:
		return "", fmt.Errorf("there is no activation template: create one named %q", DefaultActivation)
	}
	return "", fmt.Errorf("%d activation templates and none is named %q: rename one", len(found), DefaultActivation)
}

// Named is the id of the activation template of that name. None holds the
// request.
func (t *Templates) Named(ctx context.Context, product, scope, name string) (string, error) {
	found, err := t.get(ctx, templateKey{product, scope, typeFulfillment})
	if err != nil {
		return "", err
	}
	return byName(found, product, name)
}

// Inquiry is the id of the inquiry template of that name, which must be there;
// without a name that of the product's only one, else "".
func (t *Templates) Inquiry(ctx context.Context, product, name string) (string, error) {
	found, err := t.get(ctx, templateKey{product, ScopeAsset, typeInquire})
	switch {
	case err != nil:
		return "", err
	case name != "":
		return byName(found, product, name)
	case len(found) == 1:
		return found[0].ID, nil
	}
	return "", nil
}

func byName(found []connect.Template, product, name string) (string, error) {
	for _, tpl := range found {
		if tpl.Name == name {
			return tpl.ID, nil
		}
	}
	return "", hold("product %s has no template named %q", product, name)
}

// get returns the templates, from Connect if what is known is too old. Callers
// of one key wait for one call. An empty answer is not kept: somebody may be
// creating the template just now.
func (t *Templates) get(ctx context.Context, key templateKey) ([]connect.Template, error) {
	t.mu.Lock()
	l := t.known[key]
	if l == nil {
		l = &lookup{turn: make(chan struct{}, 1)}
		t.known[key] = l
	}
	t.mu.Unlock()

	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the templates of product %s: %w", key.product, context.Cause(ctx))
	}
	if t.now().Before(l.until) {
		return l.templates, nil
	}
	found, err := t.list(ctx, key.product, key.scope, key.kind)
	if err != nil {
		return nil, fmt.Errorf("list templates of product %s: %w", key.product, err)
	}
	l.templates = found
	if len(found) > 0 {
		l.until = t.now().Add(t.ttl)
	}
	return found, nil
}
