package auth

type loginInput struct{ Body loginBody }

type loginBody struct {
	Username string `json:"username" binding:"required,max=1000" example:"ada"`
	Password string `json:"password" binding:"required,max=1000" example:"Correct-Horse-7"`
	Code     string `json:"code" binding:"max=100" example:"123456" doc:"The code of the second factor, if there is one, or a recovery code."`
}

type refreshInput struct{ Body refreshBody }

type refreshBody struct {
	RefreshToken string `json:"refresh_token" binding:"required,max=1000"`
}

type logoutInput struct{ Body *refreshBody }

type passwordInput struct{ Body passwordBody }

type passwordBody struct {
	Password string `json:"password" binding:"required,max=1000"`
	Code     string `json:"code" binding:"max=100" example:"123456" doc:"The code of the second factor, if there is one, or a recovery code."`
}

// items is a list without pages.
type items[T any] struct {
	Items []T `json:"items"`
}
