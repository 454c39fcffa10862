package closeapi

import (
	"errors"

	"github.com/go-json-experiment/json"
)

func asSemantic(err error) (*json.SemanticError, bool) {
	return errors.AsType[*json.SemanticError](err)
}
