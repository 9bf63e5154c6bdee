package api

import "time"

// Settings are what an operator can set, with the name, default and help of each flag. Programs embed
// them: order-api, and all-in-one with the settings of the workers.
type Settings struct {
	HTTP                 string            `name:"http" env:"ORDERS_HTTP" default:"127.0.0.1:8080" help:"Address of the HTTP API and its documentation."`
	Data                 string            `env:"ORDERS_DATA" default:".data" help:"Directory for data on disk. Each process needs its own."`
	Catalogue            string            `env:"ORDERS_CATALOGUE" placeholder:"FILE" help:"Product catalogue (YAML). Default: a built-in example."`
	SecretFile           string            `env:"ORDERS_SECRET_FILE" placeholder:"FILE" help:"File with the secret key that order IDs are derived from; the same for all instances. ORDERS_SECRET can be the key instead of a file. Default: a file in --data, created at the first start."`
	Secret               string            `env:"ORDERS_SECRET" secret:"" hidden:"" help:"Secret key that order IDs are derived from."`
	Closed               bool              `env:"ORDERS_CLOSED" help:"Place no new orders, because they are placed at another prefix. Repeats of placed orders, refunds and all other requests go on."`
	EarlierAPI           string            `name:"earlier-api" env:"ORDERS_EARLIER_API" placeholder:"URL" help:"API of the prefix that this one has taken over from, which must be --closed. It answers requests about its orders, and repeats of their idempotency keys. Default: none."`
	Promise              time.Duration     `env:"ORDERS_PROMISE" default:"15m" help:"Backpressure: refuse new orders with 429 while the oldest order that no worker has begun is older than this. 0: never refuse."`
	PerRecipient         int               `name:"orders-per-recipient" env:"ORDERS_ORDERS_PER_RECIPIENT" default:"0" help:"Maximum number of orders per hour for one e-mail address; refuse more with 429. 0: no limit."`
	VIES                 string            `name:"vies" env:"ORDERS_VIES" placeholder:"URL" help:"Check VAT IDs of new orders at VIES: its address, https://ec.europa.eu/taxation_customs/vies/rest-api/check-vat-number. While VIES gives no answer, orders are accepted without a check. Default: no check."`
	VIESRequester        string            `name:"vies-requester" env:"ORDERS_VIES_REQUESTER" placeholder:"VAT-ID" help:"VAT ID of the seller: VIES then proves each check with a number, and IDs of this state are not checked. Default: none."`
	Auth                 string            `env:"ORDERS_AUTH" enum:"none,keys,oidc" default:"none" help:"Sign-in: none (a request without credentials may do everything; loopback addresses only), keys (API keys), or oidc (also an OpenID Connect issuer)."`
	APIKeys              string            `name:"api-keys" env:"ORDERS_API_KEYS" placeholder:"FILE" help:"File of API keys (YAML), as ordersctl keys writes it. It is read again within a second when it changes."`
	Guests               bool              `env:"ORDERS_GUESTS" help:"Let people place orders without sign-in."`
	OIDCIssuer           string            `name:"oidc-issuer" env:"ORDERS_OIDC_ISSUER" placeholder:"URL" help:"OpenID Connect issuer whose tokens sign in. Default: none."`
	OIDCAudience         []string          `name:"oidc-audience" env:"ORDERS_OIDC_AUDIENCE" placeholder:"NAME" help:"Accept bearer tokens of the issuer for these audiences. Default: the client ID."`
	OIDCClientID         string            `name:"oidc-client-id" env:"ORDERS_OIDC_CLIENT_ID" placeholder:"ID" help:"Client ID of this program at the issuer, for sign-in with a browser. Default: bearer tokens only."`
	OIDCClientSecretFile string            `name:"oidc-client-secret-file" env:"ORDERS_OIDC_CLIENT_SECRET_FILE" placeholder:"FILE" help:"File with the client secret. Default: a public client, without secret."`
	OIDCRoles            string            `name:"oidc-roles" env:"ORDERS_OIDC_ROLES" placeholder:"FILE" help:"Which values of which claim have which role (YAML). Default: everybody is a customer."`
	PublicURL            string            `name:"public-url" env:"ORDERS_PUBLIC_URL" placeholder:"URL" help:"Scheme, host and port under which browsers reach the API. The issuer must allow the redirect URI URL/sign-in/callback. Default: the address of the API, if it is a loopback address."`
	TLSCert              string            `name:"tls-cert" env:"ORDERS_TLS_CERT" type:"path" placeholder:"FILE" help:"Certificate chain for HTTPS (PEM), read again when it changes. Default: HTTP."`
	TLSKey               string            `name:"tls-key" env:"ORDERS_TLS_KEY" type:"path" placeholder:"FILE" help:"Private key of --tls-cert (PEM)."`
	TrustedProxies       []string          `name:"trusted-proxies" env:"ORDERS_TRUSTED_PROXIES" placeholder:"CIDR" help:"Networks of reverse proxies. Only they may name the address of a client, with X-Forwarded-For or Forwarded."`
	RateLimit            int               `name:"rate-limit" env:"ORDERS_RATE_LIMIT" default:"1000" help:"Requests per second of one principal, and twice as many at once; refuse more with 429. 0: no limit."`
	GuestRateLimit       int               `name:"guest-rate-limit" env:"ORDERS_GUEST_RATE_LIMIT" default:"50" help:"Requests per second without credentials from one address, and twice as many at once. 0: no limit."`
	MaxStreams           int               `name:"max-streams" env:"ORDERS_MAX_STREAMS" default:"5000" help:"Concurrent event streams: at most half of them for one principal, and a twentieth for one address without credentials. 0: no limit."`
	MaxWaits             int               `name:"max-waits" env:"ORDERS_MAX_WAITS" default:"2000" help:"Concurrent requests that wait for their order (Prefer: wait), shared as --max-streams. 0: no limit."`
	DLQTopics            []string          `name:"dlq-topic" env:"ORDERS_DLQ_TOPIC" placeholder:"TOPIC" help:"Dead-letter topics of other programs: list and replay their dead letters, too. Default: none."`
	ReplayTo             map[string]string `name:"replay-to" env:"ORDERS_REPLAY_TO" mapsep:"," placeholder:"FROM=TO" help:"Replay the dead letters of --dlq-topic FROM to topic TO, instead of the topic that their headers name."`
	DLQWarning           time.Duration     `name:"dlq-warning" env:"ORDERS_DLQ_WARNING" default:"24h" help:"Log a warning this long before Kafka deletes a dead letter of --dlq-topic that is not replayed or discarded."`
}
