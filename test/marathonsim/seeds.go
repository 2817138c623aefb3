package marathonsim

import (
	_ "embed" // for the documents below
)

//go:embed seeds/keys-and-values.json
var keysAndValues string

//go:embed seeds/wordpress.json
var wordPress string

//go:embed seeds/basic-3.json
var basic3 string

// KeysAndValues returns the group of a published tutorial on Marathon: three web
// tasks that use a Redis through an internal load balancer. It is byte for byte
// what is to be posted to /v2/groups.
func KeysAndValues() string { return keysAndValues }

// WordPress returns the second group of the tutorial: three web tasks that use a
// MySQL.
func WordPress() string { return wordPress }

// Basic3 returns an app with one task and an HTTP health check, to be posted to
// /v2/apps.
func Basic3() string { return basic3 }
