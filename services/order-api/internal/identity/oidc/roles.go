package oidc

import (
	"encoding/json"
	"slices"
	"strings"

	"example.com/orders/services/order-api/internal/identity"
	"example.com/orders/shared/config"
)

// Roles maps the claims of a token to a role.
type Roles struct {
	// Claim is the name of a claim with a text or a list of texts. A name with dots is a claim of
	// that name, or a path through objects, such as realm_access.roles.
	Claim   string
	Roles   map[string]string // from a value of the claim to a role; the role with the most permissions counts
	Default string            // role of a principal without any of the values; "none": refuse the sign-in
	Scopes  []string          // to ask for at sign-in, in addition to openid and profile
}

// none is the default of a file that refuses principals without a role.
const none = "none"

// LoadRoles reads a file with the mapping, or returns the default one if path is empty: everybody
// is a customer.
func LoadRoles(path string) (Roles, error) {
	var r Roles
	_, err := config.LoadYAML(path, []byte("default: customer\n"), &r, r.check)
	if r.Claim == "" {
		r.Claim = "roles"
	}
	if r.Default == "" {
		r.Default = string(identity.Customer)
	}
	return r, err
}

func (r *Roles) check(root config.Place) {
	for value, role := range r.Roles {
		if !isRole(role) {
			root.At("roles", value).Wrong("%q is no role: must be %s", role, roleNames())
		}
	}
	if r.Default != "" && r.Default != none && !isRole(r.Default) {
		root.At("default").Wrong("%q is no role: must be none, %s", r.Default, roleNames())
	}
	for i, scope := range r.Scopes {
		if scope == "" || strings.ContainsFunc(scope, func(c rune) bool { return c <= ' ' || c > '~' || c == '"' || c == '\\' }) {
			root.At("scopes", i).Wrong("%q is no scope of OAuth 2.0", scope)
		}
	}
}

func isRole(name string) bool { return slices.Contains(identity.Roles(), identity.Role(name)) }

func roleNames() string {
	var names []string
	for _, r := range identity.Roles() {
		names = append(names, string(r))
	}
	return strings.Join(names[:len(names)-1], ", ") + " or " + names[len(names)-1]
}

// of returns the role of a principal with these claims, or "" if the mapping has none for it.
func (r *Roles) of(claims map[string]json.RawMessage) identity.Role {
	all, best := identity.Roles(), -1
	for _, value := range texts(lookUp(claims, r.Claim)) {
		if role, mapped := r.Roles[value]; mapped {
			best = max(best, slices.Index(all, identity.Role(role)))
		}
	}
	switch {
	case best >= 0:
		return all[best]
	case r.Default == none:
		return ""
	}
	return identity.Role(r.Default)
}

// lookUp returns the claim of a name or, if there is none, that at a path through objects.
func lookUp(claims map[string]json.RawMessage, name string) json.RawMessage {
	if value, ok := claims[name]; ok {
		return value
	}
	first, rest, path := strings.Cut(name, ".")
	var inner map[string]json.RawMessage
	if !path || json.Unmarshal(claims[first], &inner) != nil {
		return nil
	}
	return lookUp(inner, rest)
}

// texts returns a text, or the texts in a list.
func texts(value json.RawMessage) []string {
	var one string
	if json.Unmarshal(value, &one) == nil {
		return []string{one}
	}
	var list []any
	_ = json.Unmarshal(value, &list) // anything else has no texts
	var all []string
	for _, v := range list {
		if text, ok := v.(string); ok {
			all = append(all, text)
		}
	}
	return all
}
