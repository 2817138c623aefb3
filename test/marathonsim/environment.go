package marathonsim

import (
	"encoding/json"
	"strconv"
	"strings"
)

// environment returns the environment of the task: Marathon's variables, then the
// app's own, which win.
func (t *task) environment() map[string]string {
	env := map[string]string{
		"MARATHON_APP_ID": t.app.id, "MARATHON_APP_VERSION": t.def.Version, "MESOS_TASK_ID": t.id,
		"HOST": t.agent.Address, "MARATHON_APP_DOCKER_IMAGE": t.def.image(),
	}
	var all []string
	for i, p := range t.ports {
		port := strconv.Itoa(p)
		if i == 0 {
			env["PORT"] = port
		}
		env["PORT"+strconv.Itoa(i)] = port
		all = append(all, port)
	}
	env["PORTS"] = strings.Join(all, ",")
	for k, raw := range t.def.Env {
		var value string
		if err := json.Unmarshal(raw, &value); err == nil { // otherwise it names a secret, which nobody has
			env[k] = value
		}
	}
	return env
}
