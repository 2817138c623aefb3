package control

import (
	"context"
	"fmt"
	"slices"

	"mlb/discovery"
	"mlb/haproxy"
	"mlb/haproxy/apply"
	"mlb/haproxy/render"
)

// search finds an app to set aside when HAProxy refuses a text and names neither a
// line nor a section (D48). It halves the list of apps until it has the first that
// makes the text refused together with those before it: about as many checks as the
// number of apps has binary digits, and two. app is empty when no app is to blame:
// the text without apps is refused, or the whole one is not.
func (c *Controller) search(ctx context.Context, services []discovery.Service, claims haproxy.Claims) (app string, err error) {
	var apps []string
	for _, s := range services {
		if !slices.Contains(apps, s.App) {
			apps = append(apps, s.App)
		}
	}
	refused := func(n int) bool {
		if err != nil {
			return false
		}
		some := slices.DeleteFunc(slices.Clone(services), func(s discovery.Service) bool { return !slices.Contains(apps[:n], s.App) })
		proxies, _ := haproxy.Claim(some, claims)
		var found []apply.Refusal
		found, err = c.applier.Check(ctx, desired(c.renderer.Render(proxies)))
		return len(found) > 0
	}
	if refused(0) || !refused(len(apps)) || err != nil {
		return "", err
	}
	good, bad := 0, len(apps)
	for bad-good > 1 && err == nil {
		if half := (good + bad) / 2; refused(half) {
			bad = half
		} else {
			good = half
		}
	}
	if err != nil {
		return "", fmt.Errorf("look for the app at fault: %w", err)
	}
	return apps[bad-1], nil
}

// desired is what a rendered text asks for.
func desired(text render.Text) apply.Desired {
	return apply.Desired{Text: text.Config, Files: text.Files}
}
