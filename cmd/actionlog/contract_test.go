package main

import (
	"fmt"
	"net/http"

	"actionlog"
	"actionlog/internal/apitest"
)

// contract is the connection of the tests to services: what these answer, and what they
// take, is held to openapi.yaml. http.DefaultClient uses it, see TestMain.
var contract = func() *apitest.Transport {
	c, err := apitest.New(actionlog.OpenAPI())
	if err != nil {
		panic(fmt.Sprintf("openapi.yaml: %v", err))
	}
	return &apitest.Transport{Contract: c, Base: http.DefaultTransport}
}()
