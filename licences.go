package actionlog

import _ "embed"

//go:embed THIRD_PARTY_LICENSES
var licences string

// Licences returns what the binary contains besides Action Log, and the texts of
// all licences that go with it.
func Licences() string { return licences }
