package marathonsim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// fields are the members of a JSON object that were named.
type fields map[string]json.RawMessage

// parseFields reads a JSON object.
func parseFields(raw []byte) (fields, error) {
	var f fields
	if err := json.Unmarshal(raw, &f); err != nil {
		return nil, fmt.Errorf("read the object: %w", err)
	}
	if f == nil {
		return nil, errors.New("read the object: it is null")
	}
	return f, nil
}

// has reports whether the member was named and is not null.
func (f fields) has(name string) bool {
	raw, ok := f[name]
	return ok && !isNull(raw)
}

func isNull(raw json.RawMessage) bool {
	return bytes.Equal(bytes.TrimSpace(raw), []byte("null"))
}

// newDefinition returns an app with Marathon's defaults.
func newDefinition(id string, f features) *definition {
	return &definition{
		ID: id, Instances: 1, CPUs: 1, Mem: 128, Backoff: 1, BackoffFactor: 1.15, MaxDelay: f.maxLaunchDelay,
		Upgrade: upgradeStrategy{1, 1}, Labels: map[string]string{}, KillSelection: "YOUNGEST_FIRST",
		Unreachable: json.RawMessage(`{"inactiveAfterSeconds":0,"expungeAfterSeconds":0}`), Role: "*",
	}
}

// update returns a copy of base with the named members replaced. The result is
// complete but for assigned ports and versions.
func (d *definition) update(in fields, f features) (*definition, error) {
	out := d.clone()
	plain := map[string]any{
		"cmd": &out.Cmd, "args": &out.Args, "user": &out.User, "env": &out.Env, "instances": &out.Instances,
		"cpus": &out.CPUs, "mem": &out.Mem, "disk": &out.Disk, "gpus": &out.GPUs, "executor": &out.Executor,
		"constraints": &out.Constraints, "backoffSeconds": &out.Backoff, "backoffFactor": &out.BackoffFactor,
		"maxLaunchDelaySeconds": &out.MaxDelay, "requirePorts": &out.RequirePorts, "labels": &out.Labels,
		"acceptedResourceRoles": &out.ResourceRoles, "upgradeStrategy": &out.Upgrade,
		"killSelection": &out.KillSelection, "unreachableStrategy": &out.Unreachable, "residency": &out.Residency,
		"taskKillGracePeriodSeconds": &out.KillGrace, "secrets": &out.Secrets, "role": &out.Role,
	}
	for name, to := range plain {
		if !in.has(name) {
			continue
		}
		// Unmarshal would write through pointers, slices and maps of the stored
		// version.
		switch v := reflect.ValueOf(to).Elem(); v.Kind() { //nolint:exhaustive // the other kinds are copies
		case reflect.Pointer, reflect.Slice, reflect.Map:
			v.SetZero()
		}
		if err := json.Unmarshal(in[name], to); err != nil {
			return nil, invalid("/"+name, err.Error())
		}
	}
	if out.Instances < 0 {
		return nil, invalid("/instances", "error.expected.minimum")
	}
	for _, step := range []func(*definition, fields, features) error{
		parseArtifacts, parseContainer, parseNetworks, parsePorts, parseHealthChecks, parseReadinessChecks, parseDependencies, parseResidency,
	} {
		if err := step(out, in, f); err != nil {
			return nil, err
		}
	}
	if out.Cmd == nil && len(out.Args) == 0 && out.Container == nil {
		return nil, invalid("/", "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'.")
	}
	return out, nil
}

func parseArtifacts(d *definition, in fields, _ features) error {
	if in.has("uris") && in.has("fetch") {
		var uris, fetch []json.RawMessage
		if json.Unmarshal(in["uris"], &uris) == nil && json.Unmarshal(in["fetch"], &fetch) == nil && len(uris) > 0 && len(fetch) > 0 {
			return invalid("/", "cannot specify both uris and fetch fields")
		}
	}
	if in.has("uris") {
		var uris []string
		if err := json.Unmarshal(in["uris"], &uris); err != nil {
			return invalid("/uris", err.Error())
		}
		d.Fetch = nil
		for _, u := range uris {
			d.Fetch = append(d.Fetch, artifact{URI: u, Extract: isArchive(u)})
		}
	}
	if in.has("fetch") && (!in.has("uris") || string(bytes.TrimSpace(in["fetch"])) != "[]") {
		var raws []json.RawMessage
		if err := json.Unmarshal(in["fetch"], &raws); err != nil {
			return invalid("/fetch", err.Error())
		}
		d.Fetch = nil
		for _, raw := range raws {
			a := artifact{Extract: true}
			if err := json.Unmarshal(raw, &a); err != nil {
				return invalid("/fetch", err.Error())
			}
			d.Fetch = append(d.Fetch, a)
		}
	}
	return nil
}

// isArchive reports whether Mesos extracts what the URI leads to.
func isArchive(uri string) bool {
	suffixes := []string{".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz", ".zip"}
	return slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(uri, s) })
}

func parseHealthChecks(d *definition, in fields, f features) error {
	if !in.has("healthChecks") {
		return nil
	}
	var raws []json.RawMessage
	if err := json.Unmarshal(in["healthChecks"], &raws); err != nil {
		return invalid("/healthChecks", err.Error())
	}
	d.HealthChecks = nil
	for i, raw := range raws {
		h, err := parseHealthCheck(raw)
		if err != nil {
			return invalid(fmt.Sprintf("/healthChecks(%d)", i), err.Error())
		}
		if strings.HasPrefix(h.Protocol, "MESOS_") && !f.instances {
			return invalid(fmt.Sprintf("/healthChecks(%d)", i), fmt.Sprintf("health check protocol %q is unknown", h.Protocol))
		}
		if h.Protocol != "COMMAND" && h.Port == nil && h.PortIndex == nil {
			h.PortIndex = new(int)
		}
		d.HealthChecks = append(d.HealthChecks, h)
	}
	return nil
}

func parseDependencies(d *definition, in fields, _ features) error {
	if !in.has("dependencies") {
		return nil
	}
	var ids []string
	if err := json.Unmarshal(in["dependencies"], &ids); err != nil {
		return invalid("/dependencies", err.Error())
	}
	parent := parentID(d.ID)
	d.Dependencies = nil
	for _, id := range ids {
		abs, err := resolveID(parent, id)
		if err != nil {
			return invalid("/dependencies", err.Error())
		}
		d.Dependencies = append(d.Dependencies, abs)
	}
	return nil
}

// segment is the grammar of one part of an id, Marathon facts 5.
const segment = `^(([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9-]*[a-z0-9])$`

// resolveID returns the absolute form of an id that is relative to base.
func resolveID(base, id string) (string, error) {
	path := id
	if !strings.HasPrefix(id, "/") {
		path = base + "/" + id
	}
	grammar := regexp.MustCompile(segment)
	var parts []string
	for part := range strings.SplitSeq(path, "/") {
		switch {
		case part == "" || part == ".":
		case part == "..":
			parts = parts[:max(len(parts)-1, 0)]
		case !grammar.MatchString(part):
			return "", fmt.Errorf("%q must fully match regular expression %q", part, segment)
		default:
			parts = append(parts, part)
		}
	}
	return "/" + strings.Join(parts, "/"), nil
}

// parentID returns the id of the group that an app or a group is in.
func parentID(id string) string {
	i := strings.LastIndexByte(id, '/')
	if i <= 0 {
		return "/"
	}
	return id[:i]
}
