package budgets

// modelNames are what the model of a request is called. Requests for the same names at the same provider are equal.
type modelNames struct {
	provider string
	upstream string // "" if nobody knows
	client   string // "" if the same
}

// namesOf takes over what provider and client call a model; most often that is the same.
func namesOf(provider, upstream, client string) modelNames {
	switch {
	case upstream == "":
		upstream, client = client, ""
	case upstream == client:
		client = ""
	}
	return modelNames{provider, upstream, client}
}

// all are the names that [Limit.Models] may have.
func (n modelNames) all() (names []string) {
	for _, m := range [...]string{n.upstream, n.client} {
		if m != "" {
			names = append(names, m, n.provider+"/"+m)
		}
	}
	return names
}
