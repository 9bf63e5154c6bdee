package serve

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Proxies are the networks of the reverse proxies in front of a server. Only their requests may name
// another client, with X-Forwarded-For and X-Forwarded-Proto, or Forwarded (RFC 7239). Nil trusts
// nothing but the connection.
type Proxies []netip.Prefix

// ParseProxies parses networks such as 10.0.0.0/8, and single addresses.
func ParseProxies(texts []string) (Proxies, error) {
	var all Proxies
	for _, text := range texts {
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			var one netip.Addr
			if one, err = netip.ParseAddr(text); err != nil || one.Zone() != "" {
				return nil, fmt.Errorf("%q: must be a network such as 10.0.0.0/8, or an IP address", text)
			}
			prefix = netip.PrefixFrom(one, one.BitLen())
		}
		all = append(all, prefix.Masked())
	}
	return all, nil
}

// client is where a request came from.
type client struct {
	addr   netip.Addr
	secure bool
}

type clientKey struct{}

// ClientAddr is the address of the client that sent a request: that of the connection, or the one
// that a trusted proxy names. It is not valid if a test made the request without an address.
func ClientAddr(r *http.Request) netip.Addr {
	if c, ok := r.Context().Value(clientKey{}).(client); ok {
		return c.addr
	}
	return peer(r)
}

// Encrypted reports whether a request came over HTTPS, also to a trusted proxy.
func Encrypted(r *http.Request) bool {
	c, ok := r.Context().Value(clientKey{}).(client)
	return ok && c.secure || r.TLS != nil
}

// Handler passes requests to h with the address of their client, for ClientAddr. Responses to
// requests over HTTPS, also to a trusted proxy, tell browsers to use HTTPS only (RFC 6797).
func (p Proxies) Handler(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := p.client(r)
		if c.secure {
			w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		}
		h.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), clientKey{}, c)))
	})
}

func peer(r *http.Request) netip.Addr {
	at, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.Addr{}
	}
	return plain(at.Addr())
}

// plain removes the forms in which one address could be written differently.
func plain(addr netip.Addr) netip.Addr { return addr.Unmap().WithZone("") }

func (p Proxies) trusts(addr netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(addr) })
}

// client finds the client of a request. Every proxy appends the address that it got the request
// from, so the client is the last one that is no trusted proxy; whatever is before it may be
// invented.
func (p Proxies) client(r *http.Request) client {
	c := client{addr: peer(r), secure: r.TLS != nil}
	if !p.trusts(c.addr) {
		return c
	}
	legacy, standard := items(r.Header, "X-Forwarded-For"), items(r.Header, "Forwarded")
	proto := last(items(r.Header, "X-Forwarded-Proto"))
	var hops []string
	for _, element := range standard {
		hops = append(hops, parameter(element, "for"))
	}
	switch {
	case len(standard) == 0:
		hops = legacy
	case len(legacy) == 0:
		proto = parameter(last(standard), "proto")
	case p.walk(c.addr, legacy) != p.walk(c.addr, hops):
		// The proxy passed on a header that it does not know itself. Believe neither.
		return c
	}
	c.addr = p.walk(c.addr, hops)
	c.secure = c.secure || strings.EqualFold(proto, "https")
	return c
}

// walk follows the hops from the last one to the first that is no trusted proxy. It stops at one
// that is no address.
func (p Proxies) walk(from netip.Addr, hops []string) netip.Addr {
	for _, hop := range slices.Backward(hops) {
		if !p.trusts(from) {
			break
		}
		next, err := parseHop(hop)
		if err != nil {
			break
		}
		from = next
	}
	return from
}

// parseHop parses an address that may have a port: 192.0.2.1, 192.0.2.1:80, 2001:db8::1 or
// [2001:db8::1]:80.
func parseHop(text string) (netip.Addr, error) {
	if at, err := netip.ParseAddrPort(text); err == nil {
		return plain(at.Addr()), nil
	}
	addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"))
	return plain(addr), err
}

// items are the elements of all headers of a name, which are lists.
func items(h http.Header, name string) (all []string) {
	for _, line := range h.Values(name) {
		for item := range strings.SplitSeq(line, ",") {
			all = append(all, strings.TrimSpace(item))
		}
	}
	return all
}

func last(items []string) string {
	if len(items) == 0 {
		return ""
	}
	return items[len(items)-1]
}

// parameter returns a parameter of an element of Forwarded: for=192.0.2.1;proto=https. Values with a
// comma or semicolon in quotes are no addresses, and are not found.
func parameter(element, name string) string {
	for pair := range strings.SplitSeq(element, ";") {
		if key, value, ok := strings.Cut(strings.TrimSpace(pair), "="); ok && strings.EqualFold(key, name) {
			return strings.Trim(value, `"`)
		}
	}
	return ""
}
