package haproxy

import "strings"

// Commands returns the Runtime API commands for a step, one element each, in
// order, none holding a line break or ";" (management guide, section 9.3). The
// removal of a server is only prepared here: deleting it has to be retried until
// its sessions have ended, see DeleteCommand. Every command may be repeated
// without harm, or fails harmlessly when it is.
func (st Step) Commands() []string {
	target := st.Backend + "/" + st.Server.Name
	switch st.Kind {
	case AddServer:
		return st.addCommands(target)
	case SetAddress:
		host, port := splitAddress(st.Server.Address)
		return []string{"set server " + target + " addr " + host + " port " + port}
	case SetWeight:
		w, ok := st.Server.Keyword("weight")
		if !ok {
			w = "1"
		}
		return []string{"set server " + target + " weight " + w}
	case EnableServer:
		return st.enableCommands(target)
	case DrainServer, RemoveServer:
		return []string{"set server " + target + " state maint"}
	}
	return nil
}

// addCommands adds the server, starts its checks and puts it into rotation.
// Dynamic servers start in maintenance with their checks off, whatever their
// line says.
func (st Step) addCommands(target string) []string {
	words := []string{"add server", target, st.Server.Address}
	for _, k := range st.Server.without("disabled", "enabled") {
		words = append(words, k.String())
	}
	return append([]string{strings.Join(words, " ")}, st.enableCommands(target)...)
}

// enableCommands starts the server's checks and puts it into rotation, which may be
// half done: HAProxy takes both again.
func (st Step) enableCommands(target string) []string {
	var commands []string
	if _, ok := st.Server.Keyword("check"); ok {
		commands = append(commands, "enable health "+target)
	}
	if _, ok := st.Server.Keyword("agent-check"); ok {
		commands = append(commands, "enable agent "+target)
	}
	if st.Server.Ready() {
		commands = append(commands, "set server "+target+" state ready")
	}
	return commands
}

// DeleteCommand returns the command that deletes a server in maintenance. It is
// refused while sessions are attached.
func DeleteCommand(backend, server string) string { return "del server " + backend + "/" + server }
