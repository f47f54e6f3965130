package app

import (
	"fmt"
	"os"
	"strings"
)

// Secret is a value that never shows itself. It is written in configuration as {env: NAME} or {file: PATH}.
type Secret struct {
	Env  string `yaml:"env"`
	File string `yaml:"file"`
}

// Value reads the secret; "" and no error if none is configured.
func (s Secret) Value() (string, error) {
	switch {
	case s.Env != "":
		v, ok := os.LookupEnv(s.Env)
		if !ok {
			return "", fmt.Errorf("environment variable %s is not set", s.Env)
		}
		return v, nil
	case s.File != "":
		b, err := os.ReadFile(s.File)
		return strings.TrimSpace(string(b)), err
	}
	return "", nil
}
