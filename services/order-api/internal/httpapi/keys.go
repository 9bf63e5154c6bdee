package httpapi

import (
	"net/http"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orders/services/order-api/client"
	"example.com/orders/services/order-api/internal/identity/apikey"
)

// keyPage is the answer to GET /v1/keys.
type keyPage struct {
	Keys []client.APIKey `json:"keys"`
}

// listKeys lists the API keys with their last use, which only the running API knows. Keys are
// created and revoked in the file.
func (a *api) listKeys(c echo.Context) error {
	return c.JSON(http.StatusOK, keyPage{a.APIKeys()})
}

// APIKeys are those of the file, also expired and revoked ones, or none if there is no file.
func (a *api) APIKeys() []client.APIKey {
	var keys []apikey.Key
	if a.Keys != nil {
		keys = a.Keys.Keys()
	}
	return each(keys, toKey)
}

func toKey(k apikey.Key) client.APIKey {
	return client.APIKey{
		ID: k.ID, Principal: k.Principal.ID, Name: k.Principal.Name, Role: string(k.Principal.Role), State: k.State(time.Now()),
		Created: k.Created, Expires: k.Expires, Revoked: k.Revoked, LastUsed: k.Used,
	}
}
