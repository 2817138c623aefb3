// Package certs looks after the certificate files of the HTTPS listener before
// HAProxy reads them: it writes those that come from the environment
// ([WriteFiles]), makes a self-signed one where there is none ([EnsureSelfSigned])
// and says which files HAProxy would load from a path, or why it would not
// ([Load]). Contract 1.1, step 3, with D4.
//
// A file of this package holds a certificate chain and its key as PEM. The key
// may also stand beside it in a file with the suffix ".key", as HAProxy's manual
// describes for the bind option crt (section 5.1).
//
// Files are replaced atomically and belong to their owner alone (mode 0600). What
// this package does not understand, such as a key on a curve that Go does not know,
// it leaves as it is and leaves to HAProxy to judge.
//
// Every function blocks for the time of its file operations. They are safe for
// concurrent use on different paths.
package certs
