package api_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"example.com/orders/services/order-api/api"
	"example.com/orders/services/order-api/client"
	"example.com/orders/shared/kafkatest"
)

func settings(t *testing.T, k *kafkatest.Kafka) api.Config {
	return api.Config{
		Settings: api.Settings{HTTP: "127.0.0.1:0", Data: filepath.Join(t.TempDir(), "data")}, Kafka: k.Config(), Topics: k.Topics, Log: slog.New(slog.DiscardHandler),
	}
}

// start runs an API. The returned function stops it and returns the result of Run.
func start(t *testing.T, cfg api.Config) (*client.Client, string, func() error) {
	t.Helper()
	listening, done := make(chan string, 1), make(chan error, 1)
	cfg.Listening = func(address string) { listening <- address }
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() { done <- api.Run(ctx, cfg) }() // ends with cancel
	stopped := false
	stop := func() error {
		cancel()
		if stopped {
			return nil
		}
		stopped = true
		return <-done
	}
	t.Cleanup(func() { stop() })
	select {
	case address := <-listening:
		return client.New("http://"+address, nil), "http://" + address, stop
	case err := <-done:
		stopped = true
		t.Fatalf("Run ended: %v", err)
		return nil, "", nil
	}
}

func wanted() client.NewOrder {
	return client.NewOrder{
		Customer: client.Customer{Name: "Zoë Łukasiewicz", Email: "zoe@example.com"}, Service: "standard",
		ShipTo: client.Address{Line1: "1 Main Street", City: "Berlin", PostalCode: "10115", Country: "DE"},
		Items:  []client.Item{{SKU: "BOTTLE-750", Quantity: 2}},
	}
}

func TestRestartKeepsOrdersAndKeys(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	cfg := settings(t, k)
	c, _, stop := start(t, cfg)
	placed, err := c.Place(t.Context(), wanted(), "k1", 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := stop(); err != nil {
		t.Fatalf("stopped: got %v, want nil", err)
	}
	c, _, _ = start(t, cfg)
	again, err := c.Place(t.Context(), wanted(), "k1", 0)
	if err != nil || again.ID != placed.ID {
		t.Errorf("placed again after a restart: got %q, %v; want %q", again.ID, err, placed.ID)
	}
	info, err := os.Stat(filepath.Join(cfg.Data, "secret"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("got secret %v, %v; want a file for its owner only", info, err)
	}
}

func TestInstancesWithOneSecretShareKeys(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte("a key of at least sixteen\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	byFile, byValue := settings(t, k), settings(t, k)
	byFile.SecretFile, byValue.Secret = file, "a key of at least sixteen"
	var ids []string
	for _, cfg := range []api.Config{byFile, byValue} {
		c, _, _ := start(t, cfg)
		o, err := c.Place(t.Context(), wanted(), "k1", 0)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, o.ID)
	}
	if ids[0] != ids[1] {
		t.Errorf("got orders %q, want one", ids)
	}
}

func TestStopEndsStreamsAndWaitingRequests(t *testing.T) {
	t.Parallel()
	c, url, stop := start(t, settings(t, kafkatest.Start(t)))
	o, err := c.Place(t.Context(), wanted(), "", 0)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Get(url + "/v1/orders/" + o.ID + "/events") // the API ends it
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := stop(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Errorf("stream: got %v, want its end", err)
	}
}

func TestRunRefusesInvalidSettings(t *testing.T) {
	t.Parallel()
	k := kafkatest.Start(t)
	used := settings(t, k)
	_, url, _ := start(t, used)
	address, broken := strings.TrimPrefix(url, "http://"), keysFile(t, "key: []\n")
	grossShop := filepath.Join(t.TempDir(), "shop.yaml")
	text := "currency: EUR\nprices: gross\nproducts: [{sku: A, name: A, description: a, price: \"1\", weight_g: 1, size_mm: [1, 1, 1]}]\n"
	if err := os.WriteFile(grossShop, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct {
		change func(*api.Config)
		want   string
	}{
		"all addresses":       {func(c *api.Config) { c.HTTP = ":0" }, "can be reached from other machines"},
		"address of others":   {func(c *api.Config) { c.HTTP = "0.0.0.0:0" }, "can be reached from other machines"},
		"taken address":       {func(c *api.Config) { c.HTTP = address }, "--http"},
		"used folder":         {func(c *api.Config) { c.Data = used.Data }, "in use by another process"},
		"folder that is none": {func(c *api.Config) { c.Data = "/dev/null" }, "--data"},
		"no URL of an API":    {func(c *api.Config) { c.EarlierAPI = "127.0.0.1:8080" }, "--earlier-api"},
		"URL without a host":  {func(c *api.Config) { c.EarlierAPI = "http://" }, "--earlier-api"},
		"no catalogue":        {func(c *api.Config) { c.Catalogue = "/nowhere.yaml" }, "reading the catalogue: stat /nowhere.yaml"},
		"gross catalogue":     {func(c *api.Config) { c.Catalogue = grossShop }, "the catalogue has gross prices, and the rate card has net ones"},
		"no secret file":      {func(c *api.Config) { c.SecretFile = "/nowhere" }, "--secret-file"},
		"no file of keys":     {func(c *api.Config) { c.Auth = api.AuthKeys }, "--auth keys: set the file of keys with --api-keys or ORDERS_API_KEYS"},
		"no issuer":           {func(c *api.Config) { c.Auth = api.AuthOIDC }, "--auth oidc: set the issuer"},
		"keys not there":      {func(c *api.Config) { c.APIKeys = "/nowhere.yaml" }, "--api-keys: stat /nowhere.yaml: no such file or directory"},
		"broken keys":         {func(c *api.Config) { c.APIKeys = broken }, "--api-keys: " + broken + `:1: unknown key "key"`},
		"no sign-in, remote":  {func(c *api.Config) { c.HTTP, c.Access.AllowRemote = ":0", true }, "--auth none is for loopback addresses only"},
		"short secret":        {func(c *api.Config) { c.Secret = "short" }, "at least 16"},
		"two secrets":         {func(c *api.Config) { c.Secret, c.SecretFile = "sixteen characters", "/nowhere" }, "--secret-file: ORDERS_SECRET is set, too"},
		"requester, no VIES":  {func(c *api.Config) { c.VIESRequester = "DE136695976" }, "--vies-requester needs --vies"},
		"negative promise":    {func(c *api.Config) { c.Promise = -time.Second }, "--promise must not be negative"},
		"orders of recipient": {func(c *api.Config) { c.PerRecipient = -1 }, "--orders-per-recipient"},
		"topics not there":    {func(c *api.Config) { c.Topics.Orders = "nowhere" }, "missing"},
		"certificate only":    {func(c *api.Config) { c.TLSCert = "cert.pem" }, "--tls-cert and --tls-key"},
		"no certificate":      {func(c *api.Config) { c.TLSCert, c.TLSKey = "/nowhere.pem", "/nowhere.pem" }, "/nowhere.pem"},
		"proxy by name":       {func(c *api.Config) { c.TrustedProxies = []string{"proxy.test"} }, `--trusted-proxies: "proxy.test"`},
		"negative limit":      {func(c *api.Config) { c.RateLimit = -1 }, "must not be negative"},
		"no broker":           {func(c *api.Config) { c.Kafka.Brokers = []string{"127.0.0.1:1"} }, "127.0.0.1:1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := settings(t, k)
			row.change(&cfg)
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			if err := api.Run(ctx, cfg); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want an error with %q", err, row.want)
			}
		})
	}
}

// keysFile returns the path of a file of API keys.
func keysFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAllowRemoteAllowsAllAddressesWithSignIn(t *testing.T) {
	t.Parallel()
	cfg := settings(t, kafkatest.Start(t))
	cfg.HTTP, cfg.Access.AllowRemote = ":0", true
	cfg.Auth, cfg.APIKeys = api.AuthKeys, keysFile(t, "keys: []\n")
	_, _, stop := start(t, cfg)
	if err := stop(); err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

func TestHTTPSWithHTTP2(t *testing.T) {
	t.Parallel()
	made := httptest.NewTLSServer(nil) // has a certificate
	made.Close()
	dir := t.TempDir()
	key, err := x509.MarshalPKCS8PrivateKey(made.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cfg := settings(t, kafkatest.Start(t))
	cfg.TLSCert, cfg.TLSKey = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{
		cfg.TLSCert: {Type: "CERTIFICATE", Bytes: made.Certificate().Raw}, cfg.TLSKey: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, url, _ := start(t, cfg)
	roots := x509.NewCertPool()
	roots.AddCert(made.Certificate())
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true}
	defer transport.CloseIdleConnections()
	resp, err := (&http.Client{Transport: transport}).Get(strings.Replace(url, "http:", "https:", 1) + "/v1/products")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Proto != "HTTP/2.0" || resp.Header.Get("Strict-Transport-Security") == "" {
		t.Errorf("got %s by %s with %v, want 200 by HTTP/2.0 with HSTS", resp.Status, resp.Proto, resp.Header)
	}
}
