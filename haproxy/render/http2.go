package render

import (
	"path"

	"mlb/haproxy"
)

// certificateMap lists what certificates stand for, for misdirected.
const certificateMap = "mlb_certificates.map"

// misdirectedAnswer tells a client to open a connection of its own for the host
// (RFC 9110, section 15.5.20).
const misdirectedAnswer = "  http-request return status 421 content-type text/plain string \"Misdirected Request\""

// misdirected answers requests for a host that the connection was not made for and
// that its certificate does not stand for (K20).
func (r *Renderer) misdirected() string {
	if !r.frame.HTTP2 {
		return ""
	}
	certificate := "ssl_f_sha1,hex,concat(/,"
	file := "),map(" + path.Join(r.frame.MapDir, certificateMap) + ")"
	return "  http-request set-var(txn.mlb_host) " + hostHeader + ",lower\n" +
		"  http-request set-var(txn.mlb_wildcard) var(txn.mlb_host),regsub(^[^.]+,*)\n" +
		"  acl mlb_own_host ssl_fc_sni,lower,strcmp(txn.mlb_host) eq 0\n" +
		"  acl mlb_own_host " + certificate + "txn.mlb_host" + file + " -m found\n" +
		"  acl mlb_own_host " + certificate + "txn.mlb_wildcard" + file + " -m found\n" +
		misdirectedAnswer + " unless mlb_own_host\n"
}

// misdirectedFrom does the same in the frontend of one virtual host, which serves
// no other.
func (r *Renderer) misdirectedFrom(host string) string {
	if !r.frame.HTTP2 {
		return ""
	}
	return misdirectedAnswer + " unless { " + hostHeader + " -i " + host + " }\n"
}

// certificateFiles is the map that misdirected reads.
func (r *Renderer) certificateFiles() []haproxy.File {
	if !r.frame.HTTP2 {
		return nil
	}
	var pairs [][2]string
	for _, c := range r.frame.CertificateHosts {
		pairs = append(pairs, [2]string{c.Fingerprint + "/" + c.Host, "1"})
	}
	return []haproxy.File{{Name: certificateMap, Text: mapText(firstOf(pairs))}}
}
