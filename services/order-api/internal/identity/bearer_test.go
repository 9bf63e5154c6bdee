package identity_test

import (
	"errors"
	"net/http"
	"strings"
	"testing"

	"example.com/orders/services/order-api/internal/identity"
)

// fixed is an authenticator with one answer.
type fixed struct {
	p   identity.Principal
	err error
}

func (f fixed) Authenticate(*http.Request) (identity.Principal, error) { return f.p, f.err }

func TestChainAsksThePartForTheKindOfCredentials(t *testing.T) {
	t.Parallel()
	key, session := identity.Principal{ID: "key", Role: identity.Viewer}, identity.Principal{ID: "session", Role: identity.Customer}
	demo := identity.DemoOperator()
	token := identity.Principal{ID: "token", Role: identity.Customer}
	full := identity.Chain{Keys: fixed{p: key}, Tokens: fixed{p: token}, Sessions: fixed{p: session}, Anonymous: demo}
	guests := identity.Chain{Keys: fixed{p: key}, Tokens: fixed{}, Sessions: fixed{}}
	away := identity.Chain{Keys: fixed{err: identity.ErrCredentials}, Tokens: fixed{err: identity.ErrUnavailable}, Sessions: fixed{err: identity.ErrUnavailable}, Anonymous: demo}
	longest := strings.Repeat("x", 16<<10)
	for name, row := range map[string]struct {
		chain   identity.Chain
		headers []string
		want    identity.Principal
		err     error
	}{
		"key":                    {full, []string{"Bearer ok_a_b"}, key, nil},
		"any case of the scheme": {full, []string{"bEARER  ok_a_b "}, key, nil},
		"other token":            {full, []string{"Bearer eyJ.x.y"}, token, nil},
		"longest token":          {full, []string{"Bearer " + longest}, token, nil},
		"session":                {full, nil, session, nil},
		"nothing, no session":    {guests, nil, identity.Principal{}, nil},
		"nothing, no parts":      {identity.Chain{}, nil, identity.Principal{}, nil},
		"nothing, no sign-in":    {identity.Chain{Anonymous: demo}, nil, demo, nil},

		"token that no part knows":     {guests, []string{"Bearer eyJ.x.y"}, identity.Principal{}, identity.ErrCredentials},
		"token without an issuer":      {identity.Chain{Anonymous: demo}, []string{"Bearer eyJ.x.y"}, identity.Principal{}, identity.ErrCredentials},
		"key without a file of keys":   {identity.Chain{Anonymous: demo}, []string{"Bearer ok_a_b"}, identity.Principal{}, identity.ErrCredentials},
		"key without keys, but issuer": {identity.Chain{Tokens: fixed{p: token}}, []string{"Bearer ok_a_b"}, identity.Principal{}, identity.ErrCredentials},
		"invalid key":                  {away, []string{"Bearer ok_a_b"}, identity.Principal{}, identity.ErrCredentials},
		"issuer is away":               {away, []string{"Bearer eyJ.x.y"}, identity.Principal{}, identity.ErrUnavailable},
		"sessions are away":            {away, nil, identity.Principal{}, identity.ErrUnavailable},
		"two keys":                     {full, []string{"Bearer ok_a_b", "Bearer ok_a_b"}, identity.Principal{}, identity.ErrCredentials},
		"password":                     {full, []string{"Basic b2s6a2V5"}, identity.Principal{}, identity.ErrCredentials},
		"no scheme":                    {full, []string{"ok_a_b"}, identity.Principal{}, identity.ErrCredentials},
		"empty":                        {full, []string{""}, identity.Principal{}, identity.ErrCredentials},
		"no token":                     {full, []string{"Bearer "}, identity.Principal{}, identity.ErrCredentials},
		"two tokens":                   {full, []string{"Bearer ok_a_b, ok_a_b"}, identity.Principal{}, identity.ErrCredentials},
		"other letters":                {full, []string{"Bearer ok_a_ß"}, identity.Principal{}, identity.ErrCredentials},
		"too long":                     {full, []string{"Bearer x" + longest}, identity.Principal{}, identity.ErrCredentials},
	} {
		got, err := row.chain.Authenticate(&http.Request{Header: http.Header{"Authorization": row.headers}})
		if got != row.want || !errors.Is(err, row.err) {
			t.Errorf("%s: got %+v, %v; want %+v, %v", name, got, err, row.want, row.err)
		}
	}
}
