package render

// serviceNames, serverNames, checkNames and groupedNames are the placeholders of
// the templates for a service, a server line, health checks and grouped HTTPS
// (contract 5.2 to 5.4 and 4.5).
func serviceNames() []string {
	return []string{
		"backend", "bindAddr", "servicePort", "mode", "sslCert", "bindOptions", "balance", "user", "passwd", "realm",
		"cleanedUpHostname", "hostname", "path", "appId", "cleanedUpAppId", "network_allowed",
		"proxypath", "rootpath", "redirpath", "setHost", "proxyPattern", "locationPattern", "rootTarget", "redirTarget", "ofHosts",
	}
}

func serverNames() []string {
	return []string{
		"serverName", "host_ipv4", "host", "port", "serverId", "cookieOptions", "healthCheckOptions", "otherOptions",
	}
}

func checkNames() []string {
	return []string{
		"healthCheckPort", "healthCheckPortOptions", "healthCheckPath", "healthCheckFalls", "healthCheckPortIndex",
		"healthCheckProtocol", "healthCheckTimeoutSeconds", "healthCheckIntervalSeconds",
		"healthCheckGracePeriodSeconds", "healthCheckMaxConsecutiveFailures", "healthCheck",
	}
}

func groupedNames() []string { return []string{"name", "host", "bindOpts"} }
