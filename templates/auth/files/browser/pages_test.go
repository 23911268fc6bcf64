package browser

import (
	"encoding/json"

	"github.com/gin-gonic/gin"

	"github.com/nexios-go/nexios/runtime/auth"
	"github.com/nexios-go/nexios/runtime/auth/oidc"
	"github.com/nexios-go/nexios/runtime/auth/passkeys"
	"github.com/nexios-go/nexios/runtime/web"
)

// pages opens page sessions by a provider and by a passkey, as an application with
// pages of its own does.
func pages(cfg auth.Config, at oidc.Config) (web.Module, error) {
	provider, err := oidc.New(at)
	if err != nil {
		return web.Module{}, err
	}
	routes := []web.Route{
		web.Post("/session/oidc-login", func(c *gin.Context, in struct {
			Body struct {
				Code string `json:"code"`
			}
		}) (map[string]string, error) {
			login, err := provider.Take(c, oidc.ToLogIn)
			if err != nil {
				return nil, err
			}
			user, err := auth.Of(c).LinkedUser(c.Request.Context(), login.Person)
			if err != nil {
				return nil, err
			}
			csrf, err := auth.Of(c).LoginPageWith(c, login.Proof(user), in.Body.Code)
			return map[string]string{"csrf_token": csrf}, err
		}),
		web.Get("/page", func(c *gin.Context, _ web.None) (map[string]string, error) {
			who, _ := auth.From(c)
			return map[string]string{"username": who.Username}, nil
		}).Guard(auth.Page()),
		web.Post("/page/logout", func(c *gin.Context, _ web.None) (web.None, error) {
			return web.None{}, auth.Of(c).LogoutPage(c)
		}),
	}
	if cfg.Env == "development" { // as for passkeys themselves
		keys, err := passkeys.New(cfg)
		if err != nil {
			return web.Module{}, err
		}
		routes = append(routes, web.Post("/session/passkey-login", func(c *gin.Context, in struct {
			Body struct {
				Credential json.RawMessage `json:"credential" binding:"required"`
			}
		}) (map[string]string, error) {
			proof, err := keys.Prove(c, in.Body.Credential)
			if err != nil {
				return nil, err
			}
			csrf, err := auth.Of(c).LoginPageWith(c, proof, "")
			return map[string]string{"csrf_token": csrf}, err
		}))
	}
	return web.Module{Name: "pages", Routes: routes}, nil
}
