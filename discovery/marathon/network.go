package marathon

// Network modes as Marathon 1.5 and later name them. The list is open: any
// other word is a mode whose tasks are reached at their agent (contract 2.5).
const (
	modeHost      = "host"
	modeBridge    = "container/bridge"
	modeContainer = "container"
)

// networkMode returns the network mode of an app. The generations say it in
// three places; where several speak, the newest place wins, and in networks the
// last entry (contract 2.5). That a task has addresses of its own says nothing
// about the mode.
func networkMode(a *App) string {
	mode := modeHost
	if a.IPPerTask.Present {
		mode = modeContainer
	}
	switch a.Container.Docker.Network {
	case "USER":
		mode = modeContainer
	case "BRIDGE":
		mode = modeBridge
	}
	for _, n := range a.Networks {
		switch {
		case n == nil:
		case n.Mode == "":
			mode = modeContainer
		default:
			mode = n.Mode
		}
	}
	return mode
}

// portMappings returns the port mappings from the place that has any.
func portMappings(a *App) []PortMapping {
	if len(a.Container.Docker.PortMappings) > 0 {
		return a.Container.Docker.PortMappings
	}
	return a.Container.PortMappings
}
