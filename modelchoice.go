package ccproxy

import (
	"context"
	"net/http"
	"strings"
)

// choice is a provider, and the model that it is asked for.
type choice struct {
	*listing
	model string
}

// choose finds the provider for a model among those that offer what is asked for. The first of these that says
// something counts:
//
//  1. the only provider of the proxy gets every model;
//  2. "NAME/model" is model of the provider NAME, the longest name that fits;
//  3. rules for models in the settings;
//  4. the models that the providers list;
//  5. the providers' own rules for models.
//
// Where two providers are found at once, the client has to say which.
func (c *catalog) choose(ctx context.Context, model string, offers func(provider string) bool) (choice, error) {
	found, told, err := c.told(model, offers)
	if told {
		return found, err
	}
	if err := c.load(ctx); err != nil {
		return choice{}, cause(ctx, err)
	}
	return c.listed(model, offers)
}

// told is choose for what the name and the settings tell.
func (c *catalog) told(model string, offers func(provider string) bool) (found choice, told bool, err error) {
	if found, told = c.named(model); told {
		if !offers(found.name) {
			err = notOffered(found.name)
		}
		return found, true, err
	}
	if model == "" {
		return found, true, badRequest("model", "model: is required where the path names no provider")
	}
	mapped := c.where(func(l *listing) bool { return offers(l.name) && l.mapped.target(model) != "" })
	if len(mapped) == 0 {
		return found, false, nil
	}
	found, err = the(mapped, model)
	return found, true, err
}

// listed is choose for what only lists can tell, as far as they are there.
func (c *catalog) listed(model string, offers func(provider string) bool) (choice, error) {
	found := c.where(func(l *listing) bool {
		_, lists := l.model(model)
		return lists && offers(l.name)
	})
	if len(found) == 0 {
		found = c.where(func(l *listing) bool { return offers(l.name) && l.own.target(model) != "" })
	}
	if len(found) == 0 {
		return choice{}, c.nobody(model, offers)
	}
	return the(found, model)
}

// named is the provider that a model's name tells, or that is the only one.
func (c *catalog) named(model string) (choice, bool) {
	var found choice
	for _, l := range c.providers {
		rest, ok := strings.CutPrefix(model, l.name+"/")
		if ok && rest != "" && (found.listing == nil || len(l.name) > len(found.name)) {
			found = choice{l, rest}
		}
	}
	if found.listing == nil && c.sole != nil {
		found = choice{c.sole, model}
	}
	return found, found.listing != nil
}

func (c *catalog) where(fits func(*listing) bool) []*listing {
	var found []*listing
	for _, l := range c.providers {
		if fits(l) {
			found = append(found, l)
		}
	}
	return found
}

// the is the only one that was found.
func the(found []*listing, model string) (choice, error) {
	if len(found) == 1 {
		return choice{found[0], model}, nil
	}
	names := namesOfListings(found)
	e := badRequest("model", "model: %q is a model of %s; say whose, as in %q",
		printable(model), strings.Join(names, " and "), names[0]+"/"+printable(model))
	e.Code = "model_ambiguous"
	return choice{}, e
}

// nobody tells a client how to ask for a model that no list has.
func (c *catalog) nobody(model string, offers func(provider string) bool) error {
	names := namesOfListings(c.where(func(l *listing) bool { return offers(l.name) }))
	e := unknownModel(model)
	e.Message += " is listed by no provider; say whose it is, as in \"" + names[0] + "/" + printable(model) +
		"\", where the providers are " + strings.Join(names, ", ") + ", or map its name in model_mappings"
	return e
}

func notOffered(provider string) error {
	return &Error{
		Status: http.StatusNotFound, Param: "model", Code: "model_not_found",
		Message: "model: the provider " + provider + " does not offer this operation",
	}
}

func namesOfListings(list []*listing) []string {
	names := make([]string, len(list))
	for i, l := range list {
		names[i] = l.name
	}
	return names
}

// everywhere is for choices that are not about an operation.
func everywhere(string) bool { return true }

// plain tells whether the model's own name, without the provider's, leads to it. It asks nobody.
func (c *catalog) plain(l *listing, model string) bool {
	found, told, err := c.told(model, everywhere)
	if !told {
		found, err = c.listed(model, everywhere)
	}
	return err == nil && found.listing == l && found.model == model
}
