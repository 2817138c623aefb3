// Package render turns claimed services and templates into the configuration
// text: fragments for each service, and their order (contract 5). The same input
// gives the same bytes.
//
// It is pure and decides no ownership (haproxy.Claim has done that) and nothing
// about how the text gets into HAProxy (haproxy/apply). A [Renderer] is safe for
// concurrent use.
package render
