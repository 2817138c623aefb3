package marathonsim

import (
	_ "embed" // for the documents below
)

//go:embed seeds/keys-and-values.json
var keysAndValues string

//go:embed seeds/wordpress.json
var wordPress string

// KeysAndValues returns the group of a published tutorial on Marathon: three web
// tasks that use a Redis through an internal load balancer. It is byte for byte
// what is to be posted to /v2/groups.
func KeysAndValues() string { return keysAndValues }

// WordPress returns the second group of the tutorial: three web tasks that use a
// MySQL.
func WordPress() string { return wordPress }
